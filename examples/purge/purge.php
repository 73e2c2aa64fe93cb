<?php
// Sends one signed purge order: PHP 8 with its extension curl. curl reads as many bytes as Content-Length says and does not wait until
// the server closes the connection, as file_get_contents does.
function purge(string $site, string $secret, array $order): array {
    $body = json_encode($order, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
    $id = 'msg_' . bin2hex(random_bytes(12));
    $now = (string) time();
    $key = base64_decode(substr($secret, strlen('whsec_')));
    $signature = base64_encode(hash_hmac('sha256', "$id.$now.$body", $key, true));
    $call = curl_init("$site/.edgekeep/purge");
    curl_setopt_array($call, [
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
    $answer = curl_exec($call);
    $status = curl_getinfo($call, CURLINFO_RESPONSE_CODE);
    if ($status !== 200) {
        throw new RuntimeException("the purge was refused: $status " . ($answer ?: curl_error($call)));
    }
    return json_decode($answer, true, 512, JSON_THROW_ON_ERROR);
}

print_r(purge('https://www.example.com', 'whsec_…', ['prefixes' => ['www.example.com/blog']]));
