"""Images from this machine to a host: only what it lacks, over the SSH connection, without a registry."""
