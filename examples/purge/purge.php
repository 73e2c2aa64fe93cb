<?php
// Sends a signed purge order. Needs PHP 7.4 or newer with its curl extension.
//
//   EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_… php purge.php '{"tags":["front"]}'

declare(strict_types=1);

/** Sends an order and returns its receipt. Throws if it is refused. */
function purge(string $site, string $secret, array $order): array
{
    $body = json_encode($order, JSON_THROW_ON_ERROR);
    $id = 'msg_' . bin2hex(random_bytes(12));
    $now = (string) time();
    $key = base64_decode(substr($secret, strlen('whsec_')));
    $signature = base64_encode(hash_hmac('sha256', "$id.$now.$body", $key, true));
    // Not file_get_contents: it waits until the server closes the connection.
    $curl = curl_init("$site/.edgekeep/purge");
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_HTTPHEADER => [
            'Content-Type: application/json',
            "webhook-id: $id",
            "webhook-timestamp: $now",
            "webhook-signature: v1,$signature",
        ],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
    ]);
    $answer = curl_exec($curl);
    if ($answer === false) {
        throw new RuntimeException(curl_error($curl));
    }
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    if ($status !== 200) {
        throw new RuntimeException("$status $answer");
    }
    return json_decode($answer, true, 512, JSON_THROW_ON_ERROR);
}

if (realpath($argv[0] ?? '') === __FILE__) {
    $order = json_decode($argv[1], true, 512, JSON_THROW_ON_ERROR);
    echo json_encode(purge(getenv('EDGEKEEP_SITE'), getenv('EDGEKEEP_SECRET'), $order)), "\n";
}
