"""Build the sets of kinds and phrases: `python -m modeling_nerret.training.kinds.build --wordnet DIR --data DIR`.

`kinds` has WordNet's definitions and examples, whose meaning is known, and texts of licensed sets, in which a common
noun has those types that most of its meanings share. The types that it may have besides are kept: they are neither
right nor wrong. `words` has WordNet's words by themselves. `descriptions` has encyclopaedia articles, whose titles
have what the encyclopaedia says of them as types, and `extracts` the same articles in parts, for the set `mentions`.

All are written into the folder of the sets:

- `kinds.jsonl`, `words.jsonl` and `descriptions.jsonl`, whose labels are meanings, words, amounts and descriptions:
  `meaning 02084071`, `word dog`, `amount date`, `description Italian composer`.
- `kinds.types.json`: the types of each label, and the wordings of each type.
- `extracts.jsonl`, without labels.
- `phrases.jsonl`, with the labels `phrase` and, for what may be one, `unsure`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from modeling_nerret.spans import Span

from ..data.corpus_check import grams
from ..data.open_sets import parsed_sets
from ..data.own_sets import corpus_source
from ..data.readers import read
from .amounts import AMOUNTS, amount_type, with_broader
from .descriptions import Article, Description, describe, doubtful, plain_description, title_places
from .extracts import parts
from .phrases import Parse, Place, load_parser, parse
from .wordnet import Meaning, WordNet

KINDS, WORDS, DESCRIPTIONS, PHRASES = "kinds.jsonl", "words.jsonl", "descriptions.jsonl", "phrases.jsonl"
EXTRACTS, TYPES = "extracts.jsonl", "kinds.types.json"
FILES = (KINDS, WORDS, DESCRIPTIONS, PHRASES, EXTRACTS, TYPES)
MOST_TEXTS = 1_600  # of each set of the folder; they are long, and alike
LONGEST_DEFINITION = 40  # words


class Labelled(NamedTuple):
    """A text and a label for each of some places."""

    id: str
    text: str
    labels: Mapping[Place, str]


class Text(NamedTuple):
    """A text to be parsed.

    Args:
        id: its id.
        text: the text.
        mentions: what it is known to mention.
        title: of an article, what it is about.
        description: what that is, in a few words.
    """

    id: str
    text: str
    mentions: Sequence[Span]
    title: str = ""
    description: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Any = parser.add_argument
    add("--wordnet", type=Path, required=True, metavar="DIR", help="WordNet's files (Debian's package wordnet-base)")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of licensed sets; the files are written there")
    add(
        "--extracts",
        type=Path,
        metavar="FILE",
        help='encyclopaedia extracts, JSON {title: {"title", "extract", "description"}} (see the corpus README)',
    )
    add(
        "--avoid", type=Path, metavar="DIR", help="leave out extracts that share eight words with a text of its *.jsonl"
    )
    options = parser.parse_args(arguments)
    wordnet, spacy = WordNet(options.wordnet), load_parser()
    texts = [*_own_texts(), *_set_texts(options.data)]
    if options.extracts:
        texts += _extracts(options.extracts, options.avoid)
    with tempfile.TemporaryDirectory(dir=options.data) as folder:  # so that the files appear whole, and together
        write_sets(wordnet, spacy, texts, Path(folder))
        for name in FILES:
            Path(folder, name).replace(options.data / name)
    print(f"{', '.join(FILES)} are in {options.data}")
    return 0


def write_sets(wordnet: WordNet, spacy: Any, texts: Sequence[Text], folder: Path) -> None:
    """Parse texts, and write all sets.

    Args:
        wordnet: the dictionary.
        spacy: the parser.
        texts: the texts that the sets share; those with a description are articles.
        folder: where the files are written.
    """
    articles = [
        Article(text.title, text.text, plain_description(text.description)) for text in texts if text.description
    ]
    descriptions = describe_all(wordnet, spacy, articles)
    words = {article.title: item.word for article, item in zip(articles, descriptions, strict=True) if item}
    kinds = [*definitions(wordnet), *examples(wordnet)]
    with (folder / PHRASES).open("w", encoding="utf-8") as file:
        parses = parse(spacy, (text.text for text in texts))
        for text, result in zip(tqdm(texts, desc="parsing", disable=None), parses, strict=True):
            _write(file, Labelled(text.id, text.text, phrase_labels(result, text.mentions)))
            meanings = kind_labels(wordnet, result, text.text) | title_label(text, words.get(text.title))
            kinds.append(Labelled(text.id, text.text, dict(sorted(meanings.items()))))
    sets = {KINDS: kinds, WORDS: list(lone_words(wordnet)), DESCRIPTIONS: list(titles(articles, descriptions))}
    for name, items in sets.items():
        with (folder / name).open("w", encoding="utf-8") as file:
            for item in items:
                if item.labels:
                    _write(file, item)
    with (folder / EXTRACTS).open("w", encoding="utf-8") as file:
        for article in articles:
            for number, part in enumerate(parts(article.text)):
                _write(file, Labelled(f"article {article.title} part {number}", part, {}))
    labels = {label for items in sets.values() for item in items for label in item.labels.values()}
    table = [description for description in descriptions if description]
    types = {
        "labels": _types(wordnet, sorted(labels), table),
        "wordings": _wordings(wordnet, {description.name for description in table}),
    }
    (folder / TYPES).write_text(json.dumps(types, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def describe_all(wordnet: WordNet, spacy: Any, articles: Sequence[Article]) -> list[Description | None]:
    """What each article's description says."""
    parses = parse(spacy, (article.description[:1].lower() + article.description[1:] for article in articles))
    return [describe(wordnet, article.description, result) for article, result in zip(articles, parses, strict=True)]


def titles(articles: Sequence[Article], descriptions: Sequence[Description | None]) -> Iterator[Labelled]:
    """Articles with the descriptions of the titles that they name."""
    for number, places in title_places(articles):
        owners = {place: descriptions[owner] for place, owner in places.items()}
        labels = {place: f"description {owner.name}" for place, owner in owners.items() if owner}
        yield Labelled(f"article {articles[number].title}", articles[number].text, labels)


def lone_words(wordnet: WordNet) -> Iterator[Labelled]:
    """WordNet's words by themselves, as far as their meanings share a type."""
    for word in sorted(wordnet.senses):
        if wordnet.certain(word):
            yield Labelled(f"word {word}", word, {(0, len(word)): f"word {word}"})


def definitions(wordnet: WordNet) -> Iterator[Labelled]:
    """Each meaning in a sentence: "dog: a member of the genus Canis", or "A dog is a member of the genus Canis"."""
    for number, meaning in enumerate(wordnet.meanings.values()):
        word, definition = meaning.words[0], meaning.definition
        if not (3 <= len(definition.split()) <= LONGEST_DEFINITION and wordnet.types_of([meaning.id])):
            continue
        article = "" if meaning.is_instance or word[0].isupper() else "An " if word[0] in "aeiou" else "A "
        text = f"{word}: {definition}" if number % 2 else f"{article}{word} is {definition}"
        start = text.index(word)
        labels = {(start, start + len(word)): f"meaning {meaning.id}"}
        end = len(text) - len(definition)
        for parent in meaning.parents:
            labels |= _first_place(wordnet.meanings[parent], text, end)
        yield Labelled(f"definition {meaning.id}", text, dict(sorted(labels.items())))


def _first_place(meaning: Meaning, text: str, begin: int) -> dict[Place, str]:
    """The first of a meaning's words that stands in a text, as a label."""
    for word in meaning.words:
        match = re.compile(rf"\b{re.escape(word)}s?\b").search(text, begin)
        if match:
            return {match.span(): f"meaning {meaning.id}"}
    return {}


def examples(wordnet: WordNet) -> Iterator[Labelled]:
    """WordNet's sentences for a meaning."""
    for meaning in wordnet.meanings.values():
        if not wordnet.types_of([meaning.id]):
            continue
        for number, example in enumerate(meaning.examples):
            for word in meaning.words:
                match = re.search(rf"\b{re.escape(word)}(?:e?s)?\b", example, re.IGNORECASE)
                if match and len(example.split()) >= 4:
                    label = {match.span(): f"meaning {meaning.id}"}
                    yield Labelled(f"example {meaning.id}-{number}", example, label)
                    break


def title_label(text: Text, word: str | None) -> dict[Place, str]:
    """The first place of an article's title in its text, with the word of its description as label."""
    title = re.sub(r" \(.*\)$", "", text.title)
    match = re.search(rf"\b{re.escape(title)}\b", text.text, re.IGNORECASE) if title and word else None
    return {match.span(): f"word {word}"} if match else {}


def kind_labels(wordnet: WordNet, result: Parse, text: str) -> dict[Place, str]:
    """Labels of a text's common nouns, each with and without what stands before it, and of its amounts."""
    labels: dict[Place, str] = {}
    for phrase in result.phrases:
        word = None if phrase.is_name else wordnet.find(phrase.words)
        if word is not None:
            begin = len(phrase.places) - len(word.split())
            labels[phrase.places[max(begin, 0)][0], phrase.place[1]] = f"word {word}"
            labels[phrase.place] = f"word {word}"
    for place, label in result.labels:
        if amount := amount_type(text[slice(*place)], label):
            labels[place] = f"amount {amount}"
    return labels


def phrase_labels(result: Parse, mentions: Iterable[Span]) -> dict[Place, str]:
    """Labels of what the detector should find: phrases, their nouns, amounts, names, and the set's own mentions."""
    places = {part for phrase in result.phrases for part in phrase.parts()}
    places |= {place for place, _ in result.labels} | {(span.start, span.end) for span in mentions}
    labels = dict.fromkeys(result.unsure, "unsure") | dict.fromkeys(places, "phrase")
    return dict(sorted(labels.items()))


def _own_texts() -> Iterator[Text]:
    for text in corpus_source(1.0).texts:
        yield Text(f"corpus {text.id}", text.text, list(text.mentions))


def _set_texts(folder: Path) -> Iterator[Text]:
    for name in parsed_sets():
        for number, text in enumerate(read(str(folder / f"{name}.jsonl"))):
            if number < MOST_TEXTS:
                yield Text(f"{name} {text.id}", text.text, list(text.mentions))


def _extracts(path: Path, avoid: Path | None) -> Iterator[Text]:
    """An encyclopaedia's extracts of eight words or more, each once.

    Raises:
        ValueError: the file has another form, or the folder to avoid has no texts.
    """
    test_runs: set[tuple[str, ...]] = set()
    if avoid:
        files = sorted(avoid.glob("*.jsonl"))
        test_runs = {run for file in files for text in read(str(file)) for run in grams(text.text)}
        if not test_runs:
            raise ValueError(f"--avoid {avoid} has no *.jsonl with texts of eight words; name the folder of benchmarks")
    earlier_texts = set()
    for title, entry in _read_entries(path).items():
        text = entry.get("extract") or ""
        runs = set(grams(text))
        if runs and text not in earlier_texts and runs.isdisjoint(test_runs):
            earlier_texts.add(text)
            yield Text(f"extract {title}", text, [], title, entry.get("description") or "")


def _read_entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise ValueError(f"--extracts {path} is not JSON ({error})") from None
    fields = ("extract", "description")
    if not isinstance(entries, dict) or not all(
        isinstance(entry, dict) and all(isinstance(entry.get(field) or "", str) for field in fields)
        for entry in entries.values()
    ):
        raise ValueError(f'--extracts {path} must be {{title: {{"extract": "...", "description": "..."}}, ...}}')
    return entries


def _types(
    wordnet: WordNet, labels: Sequence[str], descriptions: Sequence[Description]
) -> dict[str, dict[str, list[str]]]:
    """The types that each label means for certain, and those that it may mean."""
    types, doubts = {}, doubtful(descriptions)
    by_name = {item.name: item for item in descriptions}
    for label in labels:
        kind, _, name = label.partition(" ")
        if kind == "word":
            certain = wordnet.certain(name)
            types[label] = {"types": sorted(certain), "perhaps": sorted(wordnet.possible(name) - certain)}
        elif kind == "description":
            item = by_name[name]
            perhaps = doubts[name].union(item.perhaps).difference(item.types)
            types[label] = {"types": list(item.types), "perhaps": sorted(perhaps)}
        else:
            types[label] = {"types": sorted(wordnet.types_of([name])) if kind == "meaning" else with_broader(name)}
    return types


def _wordings(wordnet: WordNet, descriptions: Iterable[str]) -> dict[str, list[str]]:
    """How each type is asked for: by its name, two other words, and its definition; a description by itself."""
    wordings = {}
    for id_, name in wordnet.types.items():
        meaning = wordnet.meanings[id_]
        definition = meaning.definition.split(";")[0]
        wordings[name] = [name, *meaning.words[1:3], *([definition] if 3 <= len(definition.split()) <= 25 else [])]
    for name, phrases in AMOUNTS.items():
        wordings[name] = list(dict.fromkeys([*phrases, *wordings.get(name, ())]))
    for name in sorted(descriptions):
        wordings.setdefault(name, [name])
    return wordings


def _write(file: Any, item: Labelled) -> None:
    mentions = [{"start": start, "end": end, "type": label} for (start, end), label in item.labels.items()]
    line = {"id": item.id, "text": item.text, "mentions": mentions}
    file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
