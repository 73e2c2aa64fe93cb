"""Django's own tests of the blog: ``BLOG_DEBUG=1 manage.py test``. What the edge makes of it: tests/django."""
