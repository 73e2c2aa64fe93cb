<?php
// Runs a line of PHP in WordPress, like wp-cli, as the administrator.
$_SERVER['HTTP_HOST'] = parse_url(getenv('WP_SITE'), PHP_URL_HOST) . ':' . parse_url(getenv('WP_SITE'), PHP_URL_PORT);
require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';
wp_set_current_user(1);
eval($argv[2]);
