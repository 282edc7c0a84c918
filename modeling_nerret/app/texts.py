"""The sentences that visitors read. Labels stand next to their controls in `page.py`."""

from __future__ import annotations

from .limits import MAX_BYTES, MAX_CHARACTERS, MAX_DOCUMENTS, MAX_FILES, MAX_PASTED, megabytes

DEMO, PRIVATE = SOURCES = "Demo corpus", "Your own texts"  # what can be searched

ABOUT = (
    "Ask for a type of entity, such as “dinosaur”, and find every document that mentions one, "
    "even where that word never appears."
)
INDEX = "Searching {name}: {documents:,} documents, {mentions:,} mentions, model {model}."
PASTE = "Paste texts"
PASTE_HINT = f"with a blank line between documents, or each on a line; up to {MAX_PASTED:,} characters"
FILES = "Add files"
FILES_HINT = (
    "Text, Markdown, HTML, PDF, Word, mail, CSV, Excel, JSON or Parquet, also in folders; drop them here, or choose:"
)
CHOOSE_FILES, CHOOSE_FOLDER, REMOVE_ALL = "Choose files", "Choose a folder", "Remove all"
COLUMNS, COLUMNS_HINT = "Columns with text", "of tables, with commas between them"
PRIVACY = (
    f"Up to {MAX_FILES} files and {megabytes(MAX_BYTES)}, and of all texts {MAX_DOCUMENTS:,} documents and "
    f"{MAX_CHARACTERS:,} characters. Only you can search them. They are read when you search, and deleted about an "
    "hour after your last search."
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
READING = ("Reading your texts:", "one moment.")
INDEXING = ("Reading your texts:", "{number} of {total} documents done.")
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

# Below the note: what could not be read of a visitor's files
FAULTS = "{count} could not be read"
GUESSED = "Not in UTF-8, and read as {encoding}: {names}. If letters look wrong, save the file as UTF-8."
MORE_FAULTS = "and {count:,} more"

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
LIST_ENTITIES, DOWNLOAD_ENTITIES = "Who and what is in it", "Download this list as CSV"
COUNTING = ("Collecting the names", "of all documents of the answer.")
ENTITIES = "{count:,} {noun} in this answer"
MORE_ENTITIES = "These are the first {count}; the file has all."
NO_ENTITIES = ("No names here:", "no document of this answer names anything of this type.")
ALIASES = "also written: {names}"
MORE_DOCUMENTS = "and {count:,} more"
COPY, COPY_LABEL, COPY_IDS = "Copy", "Copy text: {id}", "Copy all ids"

# On the start page
TYPES = "What these documents hold, roughly"
TYPE_COUNT = "in about {documents:,} documents"
