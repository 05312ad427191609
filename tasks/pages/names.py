"""Features of class names: what the template calls the elements around a block, how far up."""

import re
from collections.abc import Callable

from tasks.pages import boilerplate
from tasks.pages.blocks import Element, is_hidden, named

FAR = 15.0  # elements up, for what is not around a block at all
_AROUND = "nav header footer aside form main article table ul button".split()  # noqa: SIM905
_WORDS = {
    name: re.compile(words, re.IGNORECASE)
    for name, words in {
        "content": "content|article|post|entry|main|body|text|story|prose|markdown|rich",
        "item": "item|card|tile|product|result|listing|teaser|grid|record|slide",
        "title": "title|name|heading|headline",
        "meta": "meta|date|author|byline|time|tag|categor|breadcrumb|label|badge|price",
        "review": "review|rating|testimonial|stars",
        "frame": "nav|menu|header|footer|sidebar|toolbar|masthead",
        "detail": "desc|detail|spec|feature|about|summary|info|intro|overview",
        "call": "btn|button|cta|modal|popup|cookie|consent|newsletter|subscribe|login|account|cart",
        "forum": "message|reply|thread|topic|forum|answer|question|comment",
        "filter": "filter|facet|sort|refine|search|option|swatch|variant|select|dropdown",
        "other": "relat|recommend|similar|also|upsell|cross|recent|popular|trend|more",
        "fold": "faq|accordion|tab|panel|collapse|toggle",
        "part": "hero|banner|section|block|module|widget",
    }.items()
}


class Names:
    """How many elements above each element, itself included, each kind of name is found.

    `holds_much` tells of an element whether it holds so much of the page that it is no aside,
    whatever its name.
    """

    def __init__(self, root: Element, holds_much: Callable[[Element], bool]) -> None:
        self._root, self._holds_much = root, holds_much
        self._seen: dict[Element, list[float]] = {}

    def far(self, element: Element) -> list[float]:
        """Return the distances: asides, comments, roles, hidden; each of the words; each tag."""
        if element in self._seen:
            return self._seen[element]
        outer = [FAR] * (4 + len(_WORDS) + len(_AROUND))
        if element is not self._root and element.getparent() is not None:
            outer = [min(far + 1, FAR) for far in self.far(element.getparent())]
        marks = self._marks(element)
        self._seen[element] = [0.0 if m else far for m, far in zip(marks, outer, strict=True)]
        return self._seen[element]

    def in_comments(self, element: Element) -> bool:
        """Tell whether an element stands among what the template calls comments."""
        return self.far(element)[1] < FAR

    def unseen(self, element: Element) -> bool:
        """Tell whether nobody sees an element; what folds can be opened."""
        aside, _, _, hidden, *words = self.far(element)
        distances = dict(zip(_WORDS, words, strict=False))
        near = hidden <= 1 or distances["call"] < FAR or aside < FAR
        return hidden < FAR and near and distances["fold"] > 3

    def _marks(self, element: Element) -> list[bool]:
        names, free = named(element), not self._holds_much(element)
        aside = [boilerplate.is_aside(names), boilerplate.is_comments(names)]
        aside += [boilerplate.has_role(element), is_hidden(element)]
        words = [bool(pattern.search(names)) for pattern in _WORDS.values()]
        return [*(free and mark for mark in aside), *words, *(element.tag == t for t in _AROUND)]
