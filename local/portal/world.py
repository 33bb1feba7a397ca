"""All portals of one server; the secret in the path tells which one is meant."""

from local.portal.portal import Portal


class World:
    """Portals by name; the first one answers where nothing tells them apart."""

    def __init__(self) -> None:
        self.portals: dict[str, Portal] = {}
        self.closing = False  # those who follow let go, so that the server can end at once

    def add(self, name: str, domain: str) -> Portal:
        """Make another portal, with people, rights, webhooks and limits of its own."""
        if name in self.portals:
            raise ValueError(f"there is a portal {name} already")
        portal = Portal(name, domain)
        self.portals[name] = portal
        return portal

    def named(self, name: str | None) -> Portal:
        """A portal by name, or the first one; KeyError if there is no such portal."""
        return self.portals[name] if name else next(iter(self.portals.values()))

    def of_path(self, path: str) -> Portal:
        """The portal whose webhook's secret is in a REST path."""
        for part in path.removeprefix("api/").split("/")[:2]:
            for portal in self.portals.values():
                if part in portal.incoming:
                    return portal
        return self.named(None)
