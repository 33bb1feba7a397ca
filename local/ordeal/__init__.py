"""An ordeal of the relay: a busy portal, faults on the way, then checks of what must hold.

edits (of people) + faults (of portal, events and AWS) -> scenario -> judge (findings)
"""
