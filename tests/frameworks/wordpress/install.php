<?php
// Installs a site with two authors, posts, pages, a menu and a comment; prints the ids for the test as JSON.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = parse_url(getenv('WP_SITE'), PHP_URL_HOST) . ':' . parse_url(getenv('WP_SITE'), PHP_URL_PORT);
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('A site', 'admin', 'admin@example.com', true, '', 'secret-of-admin');
switch_theme('twentytwentyone');
update_option('permalink_structure', '/%postname%/');
update_option('comment_previously_approved', 0);
update_option('posts_per_page', 5);
$writer = wp_insert_user(['user_login' => 'writer', 'user_pass' => 'secret-of-writer', 'role' => 'editor', 'display_name' => 'A Writer']);
$news = wp_insert_term('News', 'category')['term_id'];
$posts = [];
foreach (range(1, 8) as $at) {
    $posts[] = wp_insert_post([
        'post_title' => "Post $at", 'post_name' => "post-$at", 'post_content' => "Text of post $at.", 'post_status' => 'publish',
        'post_author' => $at % 2 ? 1 : $writer, 'post_category' => $at % 2 ? [1] : [$news], 'tags_input' => ['all', "tag-$at"],
        'post_date' => sprintf('2026-01-%02d 10:00:00', $at),
    ]);
}
$pages = [];
foreach (['About', 'Contact'] as $title) {
    $pages[] = wp_insert_post(['post_title' => $title, 'post_content' => "$title.", 'post_status' => 'publish', 'post_type' => 'page']);
}
$draft = wp_insert_post(['post_title' => 'A draft', 'post_name' => 'a-draft', 'post_content' => 'Not yet.', 'post_status' => 'draft', 'post_author' => 1,
    // Otherwise its date is always the current time.
    'post_date' => '2026-01-09 10:00:00', 'post_date_gmt' => '2026-01-09 10:00:00']);
$menu = wp_create_nav_menu('Main');
wp_update_nav_menu_item($menu, 0, ['menu-item-object-id' => $pages[0], 'menu-item-object' => 'page', 'menu-item-type' => 'post_type', 'menu-item-status' => 'publish']);
set_theme_mod('nav_menu_locations', ['primary' => $menu]);
flush_rewrite_rules();
echo json_encode(['posts' => $posts, 'pages' => $pages, 'draft' => $draft, 'news' => $news, 'menu' => $menu, 'writer' => $writer]);
