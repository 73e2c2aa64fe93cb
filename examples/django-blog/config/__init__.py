"""The project: settings, addresses, and the application that gunicorn serves."""
