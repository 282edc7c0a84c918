"""Everything that becomes a repository of the Hugging Face Hub."""
