"""The layer probe: where in a backbone entity types are told apart."""
