"""`python manage.py test`, with a PostgreSQL server: notifications are a part of what is tested."""
