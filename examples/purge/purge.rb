# Sends a signed purge order. Needs Ruby 2.5 or newer.
#
#   EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_… ruby purge.rb '{"tags":["front"]}'

require "json"
require "net/http"
require "openssl"
require "securerandom"

# Sends an order and returns its receipt. Raises if it is refused.
def purge(site, secret, order)
  body = JSON.generate(order)
  id, now = "msg_#{SecureRandom.uuid}", Time.now.to_i.to_s
  key = secret.delete_prefix("whsec_").unpack1("m")
  signature = [OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{now}.#{body}")].pack("m0")
  answer = Net::HTTP.post(URI("#{site}/.edgekeep/purge"), body,
    "content-type" => "application/json",
    "webhook-id" => id,
    "webhook-timestamp" => now,
    "webhook-signature" => "v1,#{signature}")
  raise "#{answer.code} #{answer.body}" unless answer.is_a?(Net::HTTPSuccess)
  JSON.parse(answer.body)
end

if $PROGRAM_NAME == __FILE__
  puts JSON.generate(purge(ENV.fetch("EDGEKEEP_SITE"), ENV.fetch("EDGEKEEP_SECRET"), JSON.parse(ARGV.fetch(0))))
end
