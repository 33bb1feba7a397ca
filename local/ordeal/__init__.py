"""The relay's ordeal: a portal at work and all that goes wrong meanwhile, then what must hold.

acts (what people do) + troubles (what goes wrong) -> course (lets it settle) -> judge (findings)
"""
