"""Reactions: one file each, deployed as one Lambda function each."""
