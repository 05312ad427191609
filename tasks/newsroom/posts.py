"""X's API: the posts of a search, with the owner's own token from the keychain."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tasks.newsroom.feeds import plain
from tasks.web import fetch as web
from thirdshift.errors import FeedBroken, PageUnavailable
from thirdshift.keychain import secret
from thirdshift.newsroom import Entry, Source
from thirdshift.settings import settings

_REMEDY = "Set a token with `keyring set thirdshift x`; X's developer page makes one."
_FIELDS = {"max_results": "50", "tweet.fields": "created_at,author_id", "expansions": "author_id"}


def posts(source: Source, newest: str) -> tuple[list[Entry], str]:
    """Return the posts after the one with the id `newest`, and the id of the newest now.

    Raises FeedBroken where X refuses the token or answers with something else than posts.
    """
    query = {"query": source.query, **_FIELDS} | ({"since_id": newest} if newest else {})
    url = f"{settings().monitor.x_api}/2/tweets/search/recent?{urlencode(query)}"
    bearer = {"Authorization": f"Bearer {secret('x', _REMEDY)}"}
    try:
        page = web.fetch(url, headers=bearer, accept="application/json")
    except PageUnavailable as error:
        if error.status in (401, 403):
            raise FeedBroken("X refuses the token, or what it may read.", _REMEDY) from None
        raise
    return _read(page.body, source, newest)


def _read(body: bytes, source: Source, newest: str) -> tuple[list[Entry], str]:
    try:
        reply = json.loads(body)
        authors = reply.get("includes", {}).get("users", [])
        names = {author["id"]: author["username"] for author in authors}
        entries = [_entry(post, names, source) for post in reply.get("data", [])]
        return entries, str(reply.get("meta", {}).get("newest_id", newest))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FeedBroken(f"X answers with something else than posts: {error!r}.") from error


def _entry(post: dict[str, Any], names: dict[str, str], source: Source) -> Entry:
    text = plain(post["text"])
    name = names.get(post.get("author_id", ""), "i/web")
    created = post.get("created_at")
    return Entry(
        source=source.name,
        url=f"https://x.com/{name}/status/{post['id']}",
        title=text[:80],
        summary=text,
        published_at=datetime.fromisoformat(created) if created else None,
    )
