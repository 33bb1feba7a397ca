"""A Bitrix24 portal through its incoming webhook."""
