"""Bitrix24 Relay: receive -> verify -> publish -> track -> announce -> react -> call."""
