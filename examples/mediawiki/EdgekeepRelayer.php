<?php
/**
 * Sends MediaWiki's purges to Edgekeep. MediaWiki's own (`$wgCdnServers`) have no credentials, so no edge can take them; this class stands
 * where MediaWiki hands the same URLs to an event relayer. In LocalSettings.php:
 *
 *   require_once "$IP/EdgekeepRelayer.php";
 *   $wgUseCdn = true;
 *   $wgEventRelayerConfig['cdn-url-purges'] = [
 *       'class' => EdgekeepRelayer::class,
 *       'site' => 'https://wiki.example.com',    // the wiki as the edge serves it
 *       'secret' => getenv( 'EDGEKEEP_SECRET' ), // whsec_…
 *   ];
 *
 * Tried with MediaWiki 1.39; the class of relayers has a namespace since 1.42.
 */

if ( !class_exists( 'EventRelayer' ) && class_exists( 'Wikimedia\EventRelayer\EventRelayer' ) ) {
	class_alias( 'Wikimedia\EventRelayer\EventRelayer', 'EventRelayer' );
}

class EdgekeepRelayer extends EventRelayer {
	/** URLs of one order: 1,000 of 100 bytes are 100 KB of the 128 KB that an order may have. */
	private const URLS_MAX = 1000;
	private const BYTES_MAX = 100000;
	private const TRIES = 3;
	private const TIMEOUT_SECONDS = 5;

	/** @var string */
	private $site;
	/** @var string */
	private $secret;

	/** @param array $params */
	public function __construct( array $params ) {
		parent::__construct( $params );
		$this->site = rtrim( $params['site'], '/' );
		$this->secret = (string)( $params['secret'] ?? '' );
	}

	/** @inheritDoc */
	protected function doNotify( $channel, array $events ) {
		$done = true;
		$urls = [];
		$bytes = 0;
		foreach ( $events as $event ) {
			// $wgServer may be without a scheme; a purge reaches both.
			$url = preg_replace( '#^//#', 'https://', $event['url'] );
			if ( count( $urls ) === self::URLS_MAX || $bytes + strlen( $url ) > self::BYTES_MAX ) {
				$done = $this->send( $urls ) && $done;
				$urls = [];
				$bytes = 0;
			}
			$urls[] = $url;
			$bytes += strlen( $url );
		}
		return ( !$urls || $this->send( $urls ) ) && $done;
	}

	/**
	 * Sends one order. Each try has the same id, so that it is done once.
	 * @param string[] $urls
	 * @return bool
	 */
	private function send( array $urls ) {
		$body = json_encode( [ 'files' => $urls ], JSON_UNESCAPED_SLASHES );
		$id = 'msg_' . bin2hex( random_bytes( 16 ) );
		for ( $try = 1; $try <= self::TRIES; $try++ ) {
			$now = (string)time();
			$key = base64_decode( substr( $this->secret, strlen( 'whsec_' ) ) );
			$signature = base64_encode( hash_hmac( 'sha256', "$id.$now.$body", $key, true ) );
			$call = curl_init( "$this->site/.edgekeep/purge" );
			curl_setopt_array( $call, [
				CURLOPT_POSTFIELDS => $body,
				CURLOPT_HTTPHEADER => [
					'content-type: application/json',
					"webhook-id: $id",
					"webhook-timestamp: $now",
					"webhook-signature: v1,$signature",
				],
				CURLOPT_RETURNTRANSFER => true,
				CURLOPT_TIMEOUT => self::TIMEOUT_SECONDS,
			] );
			$answer = curl_exec( $call );
			$status = curl_getinfo( $call, CURLINFO_RESPONSE_CODE );
			if ( $status === 200 ) {
				return true;
			}
			wfDebugLog( 'edgekeep', "purge $id, try $try: $status " . ( $answer ?: curl_error( $call ) ) );
			if ( $status >= 400 && $status < 500 && $status !== 408 && $status !== 429 ) {
				// The same again would be refused again.
				break;
			}
		}
		return false;
	}
}
