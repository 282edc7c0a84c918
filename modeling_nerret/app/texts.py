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
SURE_HINT = "how many of the documents must be right; the surer, the fewer"
PRECISIONS = {"as good as possible": 0.0, "at least 50 %": 0.5, "at least 80 %": 0.8, "at least 95 %": 0.95}
MODE_HINT = "only the first knows where the answer ends"
MODES = {  # of `EntityRetriever.search`, in words
    "hybrid": "all of these",
    "vector": "names and things",
    "document": "whole texts",
    "lexical": "the words of the type",
}

# Messages: a title, and a text that goes on from it
WELCOME = ("What are you looking for?", "Write a type, such as “volcano”, and press Enter. Or try an example.")
EMPTY_QUERY = ("Enter a type first:", "a few words such as “dinosaur”, “politician” or “medicine”.")
LOADING = ("Getting ready:", "loading the model and indexing the demo corpus. This takes a few seconds.")
INDEXING = ("Indexing your text:", "{number} of {total} documents done.")
PROBLEM = ("That did not work:", "{error}.")
FAILURE = ("That did not work:", "the index could not be searched. The terminal that the app runs in says why.")
NO_ANSWER = ("There is no answer yet:", "search first, and then download the answer.")
NO_HITS = "No document found."
NO_WORD_MATCHES = "None has the words of the type in it: under “Advanced”, choose to look at “all of these”."
NO_MENTIONS = "These documents mention no entities: add some that name people, places or things."

# The note above an answer
DOCUMENTS = "{count:,} {noun}"
FOR = "for “{query}”, the likeliest first."
LONE = "It is right with a chance of {percent}\u00a0%."
RIGHT = "Probably about {right:,} of them are right{range}."
ALL_RIGHT = "Probably all of them are right."
MISSING = "About {count:,} more may be missing."
NONE_MISSING = "Hardly any is missing."
NOT_ALL = "You see the first {count}; “Advanced” shows more."
NO_END_OF_MODE = "Only if you look at “all of these”, it can be said where the answer ends."
NO_END_OF_MODEL = "This model cannot say where the answer ends."
ABSENT = "Probably no document here mentions “{query}”."
UNSURE = "No document is sure enough for “{query}”."
BELOW = "The nearest ones stand below the line."
LESS_SURE = "Ask for less, or see the nearest ones below the line."

# In the answer
END = "Here the answer ends"
AFTER_END = "The next documents, in case some of them are right after all"
NEAREST = "The nearest documents, which are probably wrong"
CHANCE = "likely to be right"
JUDGE = "Judge some documents to sharpen this answer"
JUDGE_HINT = "What you say about these teaches most. Every mark searches again."
MARKS = "Your marks: {right} right, {wrong} wrong."
FORGET = "Forget marks"
VERDICTS = {True: "Right", False: "Wrong"}

# To take the answer along; buttons.js has what a button says when it has copied
DOWNLOAD = "Download as CSV"
COPY, COPY_LABEL, COPY_IDS = "Copy", "Copy text: {id}", "Copy all ids"

# On the start page
TYPES = "What these documents hold, roughly"
TYPE_COUNT = "in about {documents:,} documents"
