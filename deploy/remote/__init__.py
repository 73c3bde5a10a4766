"""A host at the end of an SSH connection: reaching it, knowing whom we reached, and what is found there."""
