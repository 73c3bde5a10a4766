"""Releases on a host: preparing, planning, pushing, switching, rolling back."""
