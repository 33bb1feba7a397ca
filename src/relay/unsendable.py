"""The characters that SNS and SQS refuse in a message."""

import re

_NO_CHARACTERS = "\ud800-\udfff\ufffe\uffff"  # lone surrogates and noncharacters
IN_TEXT = re.compile(f"[\0-\x08\x0b\x0c\x0e-\x1f{_NO_CHARACTERS}]")
IN_JSON = re.compile(f"[{_NO_CHARACTERS}]")  # JSON escapes control characters
