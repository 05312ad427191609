"""Forum threads: discussions and questions with answers, read post by post."""

import re

from tasks.pages.blocks import Element, blocks, named, remove

_THREAD = re.compile(
    r"/(?:t|topics?|threads?|questions|discussions?|forums?|community|r/\w+/comments)/"
    r"|viewtopic|showthread|showtopic|/item\?id=|/qa/",
    re.IGNORECASE,
)
_MARKS = ("DiscussionForumPosting", "QAPage", "phpbb", "Discourse", "XenForo", "vBulletin", "MyBB")
_POST = re.compile(
    r"""(?:^|\s)(?:
    js-post-body|s-prose|postbody|post-?body|post_body|post-?content|post_message\w*|message-?body
    |message-?content|bbWrapper|cooked|post-?text|comment-?body|comment-?content|comment-?text
    |reply-?content|answer-?content|question-?content|usertext-body|commtext|topic-?body-?text
    )(?:$|\s)""",
    re.IGNORECASE | re.VERBOSE,
)
_ASIDE = re.compile(
    r"(?:^|[-_ ])(?:signature|sig\d*|author|postprofile|quote-?controls|actions)(?:$|[-_ ])", re.I
)
FEWEST = 2


def posts(tree: Element, url: str) -> list[str]:
    """Return the posts of a thread in order; none where the page is no thread."""
    if not (is_thread(url) or _is_marked(tree)):
        return []
    marked = [e for e in tree.iter() if isinstance(e.tag, str) and _is_post(e)]
    outer = [e for e in marked if not any(_is_post(above) for above in e.iterancestors())]
    texts = [_text(element) for element in outer]
    return [text for text in texts if text] if len(outer) >= FEWEST else []


def is_thread(url: str) -> bool:
    """Tell by its address whether a page is a thread of a forum."""
    return bool(_THREAD.search(url))


def _is_marked(tree: Element) -> bool:
    head = tree.xpath("//meta[@name='generator']/@content | //body/@id | //body/@class")
    types = tree.xpath("//@itemtype")
    linked = tree.xpath('//script[@type="application/ld+json"]/text()')
    return any(mark in text for text in [*head, *types, *linked] for mark in _MARKS)


def _is_post(element: Element) -> bool:
    itemprop = element.get("itemprop") in ("text", "articleBody")
    return itemprop or bool(_POST.search(named(element)))


def _text(post: Element) -> str:
    remove([e for e in post.iter() if isinstance(e.tag, str) and _ASIDE.search(named(e))])
    remove(post.iter("script", "style", "button", "form", "rt", "rp"))
    inner = [e for e in post.iter("div") if (e.get("class") or "").split() == ["content"]]
    post = inner[0] if inner else post
    return "\n".join(block.text for block in blocks(post))
