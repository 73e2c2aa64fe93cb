require 'net/http'

class PurgeJob < ApplicationJob
  def perform(tags, paths)
    site = ENV['SITE'] or return
    order = { tags: tags, files: paths.map { |path| site + path } }
    answer = Net::HTTP.post URI("#{site}/.edgekeep/purge"), order.to_json,
      'Authorization' => "Bearer #{ENV['EDGEKEEP_TOKEN']}", 'Content-Type' => 'application/json'
    raise "purge: #{answer.code} #{answer.body}" unless answer.code == '200'
  end
end
