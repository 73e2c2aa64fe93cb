# The settings of docs/frameworks/rails.md, besides the controllers.
Rails.application.config.hosts = [ENV.fetch('SITE_HOST').split(':').first]
Rails.application.config.public_file_server.enabled = true
