<?php
// Runs a line of PHP in WordPress, as wp-cli does: what the plug-in hears from an administrator's hand.
$_SERVER['HTTP_HOST'] = parse_url(getenv('WP_SITE'), PHP_URL_HOST) . ':' . parse_url(getenv('WP_SITE'), PHP_URL_PORT);
require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';
wp_set_current_user(1);
eval($argv[2]);
