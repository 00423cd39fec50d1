"""The WSGI application; a worker that has loaded it says so."""

from django.core.wsgi import get_wsgi_application

from harness.site.booted import announce

application = get_wsgi_application()
announce()
