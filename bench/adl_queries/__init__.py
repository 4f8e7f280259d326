"""The eight ADL queries, each a channel as a user writes one (``docs/own-channel.md``)."""
