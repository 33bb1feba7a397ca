"""One file a reaction, one reaction a Lambda."""
