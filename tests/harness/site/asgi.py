"""The ASGI application; a worker that has loaded it says so."""

from django.core.asgi import get_asgi_application

from harness.site.booted import announce

application = get_asgi_application()
announce()
