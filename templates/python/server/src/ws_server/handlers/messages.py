"""What becomes of messages. This file is yours: a later generation leaves it as it is."""

from ws_server.hooks import Draft, Refuse


def on_message(draft: Draft) -> str | Refuse:
    """Return the text that everybody gets, or `Refuse("why")`. It may be `async def`."""
    return draft.text
