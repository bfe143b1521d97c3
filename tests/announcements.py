"""An announcement with every kind of content, and how one is rendered."""

from __future__ import annotations

from editions import NONCE, SIX

from digestmail.mail.announcements import read_announcement
from digestmail.mail.render import Renderer
from digestmail.model.deliveries import Rendered
from digestmail.model.editions import Edition, Slot

RENDERER = Renderer(random_token=lambda: NONCE, imprint="Example Labs, Street 1, 12345 City")
EXAMPLE = """# We move to a *new* address

From 1 August, this newsletter comes from <new@example.org>.
Add it to your address book, or read [what changes](https://example.org/move?a=1&b=2 "a title").

## What to do

- Nothing, _mostly_
- Tell **your filter**:
  1. open it
  2. add `new@example.org`

7. seven

   and more

> Somebody said this, in so many words that the line has to be wrapped in the text part of the email.

```
keep   this
  as it is
```

***

### The end

One line\\
and another & more
"""


def rendered(text: str, **options) -> Rendered:
    found = read_announcement(text)
    edition = Edition(
        digest="daily@announcement",
        slot=Slot(at=SIX, key="0123456789ab", day=SIX.date()),
        title="Trending papers",
        byline="",
        composed_at=SIX,
        announcement=found,
    )
    return RENDERER.announcement(edition, found, **({"base_url": "https://digest.example.org"} | options))
