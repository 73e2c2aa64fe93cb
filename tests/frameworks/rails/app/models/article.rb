class Article < ApplicationRecord
  has_many :comments, dependent: :delete_all
  # Its own address by name as well: a 404 that was stored there has no tag.
  after_commit { PurgeJob.perform_now(["article-#{id}", 'articles'], ["/articles/#{id}"]) }
end
