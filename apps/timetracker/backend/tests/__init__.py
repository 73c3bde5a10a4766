"""`python manage.py test`; with DEBUG=True USE_SQLITE=True it needs no database server."""

import logging

# The refusals that the tests provoke are no news.
logging.getLogger("django.request").setLevel(logging.CRITICAL)
