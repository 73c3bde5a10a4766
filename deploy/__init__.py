"""Windlass: deploy compose files to servers reached by SSH, with no registry, no agent and no failed request."""
