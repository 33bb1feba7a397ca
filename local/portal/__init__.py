"""A Bitrix24 on your desk: the simulated portal."""
