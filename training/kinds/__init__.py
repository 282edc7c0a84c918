"""Sets of kinds: text whose common nouns have types from WordNet, and whose noun phrases come from a parser."""
