"""Runs reactions: runner -> record, batch_store -> portal, run -> matching, checkpoint, lookup."""

from relay.reaction.runner import Reaction, reaction

__all__ = ["Reaction", "reaction"]
