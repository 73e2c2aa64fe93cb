class Comment < ApplicationRecord
  belongs_to :article
  after_commit { PurgeJob.perform_now(["article-#{article_id}"], []) }
end
