#!/bin/sh
# Sends a signed purge order. Needs curl, openssl and od.
#
#   EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_… sh purge.sh '{"tags":["front"]}'
set -eu
body=$1
id="msg_$(openssl rand -hex 12)"
now=$(date +%s)
key=$(printf %s "${EDGEKEEP_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
signature=$(printf %s "$id.$now.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
# Not --fail-with-body: curl has it since 7.76 only.
answer=$(curl -sS --max-time 10 -w '\n%{http_code}' "$EDGEKEEP_SITE/.edgekeep/purge" -H 'content-type: application/json' \
  -H "webhook-id: $id" -H "webhook-timestamp: $now" -H "webhook-signature: v1,$signature" --data-raw "$body")
printf '%s\n' "$answer"
case $answer in *200) ;; *) exit 1 ;; esac
