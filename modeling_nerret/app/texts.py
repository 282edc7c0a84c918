"""The sentences that visitors read. Labels stand next to their controls in `page.py`."""

from __future__ import annotations

from .pasted_text import MAX_CHARACTERS, MAX_DOCUMENTS

DEMO, PASTED = SOURCES = "Demo corpus", "Your own text"  # what can be searched

ABOUT = (
    "Ask for a type of entity, such as “dinosaur”, and find every document that mentions one, "
    "even where that word never appears."
)
INDEX = "Searching {name}: {documents:,} documents, {mentions:,} mentions, model {model}."
PASTE_HINT = (
    "Put a blank line between documents, or one document on each line. "
    f"Up to {MAX_DOCUMENTS} documents and {MAX_CHARACTERS:,} characters. "
    "Your text is indexed when you search, and deleted about an hour after your last search."
)
MODE_HINT = "vector: mentions; document: whole texts; lexical: words; hybrid: all three"

# Messages: a title, and a text that goes on from it
WELCOME = ("What are you looking for?", "Write a type, such as “volcano”, and press Enter. Or try an example.")
EMPTY_QUERY = ("Enter a type first:", "a few words such as “dinosaur”, “politician” or “medicine”.")
LOADING = ("Getting ready:", "loading the model and indexing the demo corpus. This takes a few seconds.")
INDEXING = ("Indexing your text:", "{number} of {total} documents done.")
PROBLEM = ("That did not work:", "{error}.")
FAILURE = ("That did not work:", "the index could not be searched. The terminal that the app runs in says why.")
HITS = (
    "{count} {noun}",
    "for “{query}”, best first, in {seconds:.2f}\u00a0s. A score is a similarity, not a probability.",
)
NO_HITS = "No document found."
ALL_BELOW_CUTOFF = "The best score is {score:.2f}: choose a lower cut-off."
NO_WORD_MATCHES = "Lexical mode finds only documents with the words of the type in them: choose hybrid mode."
NO_MENTIONS = "These documents mention no entities: add some that name people, places or things."
