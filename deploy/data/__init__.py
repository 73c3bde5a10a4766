"""Databases: proved backups, and restores that touch nothing before they are sure."""
