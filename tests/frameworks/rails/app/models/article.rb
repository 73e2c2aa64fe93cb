class Article < ApplicationRecord
  has_many :comments, dependent: :delete_all
  # Purges the URL as well: a 404 that was stored for it has no tag.
  after_commit { PurgeJob.perform_now(["article-#{id}", 'articles'], ["/articles/#{id}"]) }
end
