<?php
/**
 * Plugin Name: Edgekeep
 * Description: Tags pages by what they show, and purges them at the edge when that changes. Signed by Standard Webhooks, sent behind the response.
 * Version: 0.1.0
 * Requires at least: 5.9
 * Requires PHP: 7.4
 * License: MIT OR Apache-2.0
 *
 * Settings, in wp-config.php:
 *
 *   define('EDGEKEEP_SECRET', 'whsec_…');                   // without it pages are tagged, and nothing is purged
 *   define('EDGEKEEP_URL', 'https://www.example.com');      // the site as the edge serves it; default: the site's address
 *   define('EDGEKEEP_TTL', 3600);                           // seconds that the edge keeps pages; 0: what your rules say
 *   define('EDGEKEEP_TAG_PREFIX', 'shop-');                 // where several sites share one edge; on a multisite "b2-" and so on
 */

namespace Edgekeep;

if (!defined('ABSPATH')) {
    exit;
}

/** Tags of one response, and bytes of the field: half of what the edge takes. More become {@see ANY}. */
const TAGS_MAX = 500;
const FIELD_BYTES_MAX = 8192;
/** Selectors of one order. */
const ORDER_TAGS_MAX = 1000;
/** Orders that wait for the edge to be reachable again; beyond these, one for the whole site takes their place. */
const QUEUE_MAX = 20;
const TIMEOUT_SECONDS = 5;
const RETRY_SECONDS = 60;
const QUEUE = 'edgekeep_queue';
const RETRY = 'edgekeep_retry';

/** Every page of the site: themes, menus, widgets, options. */
const SITE = 'wp';
/** Pages that show more than their tags can say: purged with everything else. */
const ANY = 'wp-any';
/** Addresses without a page, and redirects: a new page may take their place. */
const MISSING = 'wp-missing';
/** Pages with a link to the post before or after. */
const ADJACENT = 'wp-adjacent';

/** Options that pages show. A prefix ends with "*". */
const OPTIONS = ['blogname', 'blogdescription', 'siteurl', 'home', 'permalink_structure', 'category_base', 'tag_base', 'show_on_front',
    'page_on_front', 'page_for_posts', 'posts_per_page', 'posts_per_rss', 'rss_use_excerpt', 'sticky_posts', 'date_format', 'time_format',
    'timezone_string', 'gmt_offset', 'start_of_week', 'WPLANG', 'blog_public', 'site_icon', 'site_logo', 'show_avatars', 'avatar_default',
    'avatar_rating', 'default_comment_status', 'comment_registration', 'require_name_email', 'thread_comments', 'thread_comments_depth',
    'page_comments', 'comments_per_page', 'default_comments_page', 'comment_order', 'close_comments_for_old_posts',
    'close_comments_days_old', 'show_comments_cookies_opt_in', 'sidebars_widgets', 'active_plugins', 'users_can_register', 'widget_*', 'theme_mods_*'];

/** Fields of posts that no page shows. */
const QUIET_META = ['_edit_lock', '_edit_last', '_pingme', '_encloseme', '_wp_old_slug', '_wp_old_date', '_wp_trash_meta_status',
    '_wp_trash_meta_time', '_wp_desired_post_slug'];

/** Types of posts that are written often and shown nowhere. */
const QUIET_TYPES = ['revision', 'customize_changeset', 'oembed_cache', 'user_request'];

/** What the response shows, and what is to be purged, as the keys of lists. */
final class State
{
    public static array $shown = [];
    public static array $purged = [];
    public static bool $written = false;
}

function tag(string $name): string
{
    static $prefix = null;
    if ($prefix === null) {
        $own = is_multisite() && get_current_blog_id() > 1 ? 'b' . get_current_blog_id() . '-' : '';
        $prefix = defined('EDGEKEEP_TAG_PREFIX') ? EDGEKEEP_TAG_PREFIX : $own;
    }
    return $prefix . rawurlencode($name);
}

/** Tags the response: `Edgekeep\show('prices')`. */
function show(string ...$names): void
{
    foreach ($names as $name) {
        State::$shown[$name] = true;
    }
}

/** Purges what has one of these tags, behind this response: `Edgekeep\purge('prices')`. */
function purge(string ...$names): void
{
    foreach ($names as $name) {
        State::$purged[$name] = true;
    }
}

// What a page shows

/** A query for a list: what is in it may change with every post of its types. */
function show_query(\WP_Query $query): void
{
    if ($query->is_singular() && !$query->get('post__in')) {
        return;
    }
    $types = array_filter((array) $query->get('post_type')) ?: [$query->is_search() ? 'any' : 'post'];
    foreach ($types as $type) {
        show("posts-$type");
    }
    if ($query->is_tax() || $query->is_category() || $query->is_tag()) {
        // The type of an archive of terms is found later.
        show('posts-any');
    }
}

function show_post(\WP_Post $post): void
{
    show("post-$post->ID", "author-$post->post_author");
}

/** @param array|\WP_Error|false $terms */
function show_terms($terms)
{
    foreach (is_array($terms) ? $terms : [] as $term) {
        if ($term instanceof \WP_Term) {
            show("term-$term->term_id");
        }
    }
    return $terms;
}

add_action('pre_get_posts', __NAMESPACE__ . '\show_query');
add_action('the_post', __NAMESPACE__ . '\show_post');
add_filter('get_the_terms', __NAMESPACE__ . '\show_terms');
add_filter('get_terms', function ($terms, $taxonomies, $args) {
    if (empty($args['object_ids'])) {
        show('terms');
    }
    return $terms;
}, 10, 3);
add_filter('get_pages', function ($pages) {
    show('posts-page');
    return $pages;
});
add_action('pre_get_comments', function ($query) {
    if (empty($query->query_vars['post_id'])) {
        show('comments');
    }
});
add_action('pre_get_users', function () {
    show('authors');
});
add_filter('wp_get_attachment_image_attributes', function ($attributes, $attachment) {
    show("post-$attachment->ID");
    return $attributes;
}, 10, 2);
foreach (['previous', 'next'] as $side) {
    add_filter("{$side}_post_link", function ($output, $format, $link, $post) {
        show(ADJACENT);
        if ($post instanceof \WP_Post) {
            show("post-$post->ID");
        }
        return $output;
    }, 10, 4);
    add_filter("get_{$side}_post_where", function ($where) {
        show(ADJACENT);
        return $where;
    });
}
add_action('wp', function () {
    $object = get_queried_object();
    if ($object instanceof \WP_Post) {
        show_post($object);
    } elseif ($object instanceof \WP_Term) {
        show("term-$object->term_id");
    } elseif ($object instanceof \WP_User) {
        show("author-$object->ID");
    }
    if (is_404()) {
        show(MISSING);
    }
    if (is_comment_feed()) {
        show('comments');
    }
});

// The header fields

/** Whether the response is one reader's own. */
function is_private(): bool
{
    foreach (array_keys($_COOKIE) as $name) {
        if (preg_match('/^(wordpress_(logged_in|sec)|comment_author|wp-postpass|wp-resetpass)/', (string) $name)) {
            return true;
        }
    }
    return is_user_logged_in() || is_preview() || is_customize_preview() || isset($_GET['unapproved'])
        || (defined('DONOTCACHEPAGE') && DONOTCACHEPAGE) || (is_singular() && post_password_required());
}

/** The value of Cache-Tag for what was shown until now. */
function cache_tag(): string
{
    $tags = array_map(__NAMESPACE__ . '\tag', array_merge([SITE], array_map('strval', array_keys(State::$shown))));
    $value = implode(',', $tags);
    if (count($tags) > TAGS_MAX || strlen($value) > FIELD_BYTES_MAX) {
        return implode(',', array_map(__NAMESPACE__ . '\tag', [SITE, ANY]));
    }
    return $value;
}

/** The fields of this response: name => value. `complete`: all that it shows is known. */
function fields(bool $complete, int $status): array
{
    if (is_private() || !$complete || $status >= 500) {
        return ['CDN-Cache-Control' => 'no-store'];
    }
    $fields = ['Cache-Tag' => cache_tag()];
    $ttl = defined('EDGEKEEP_TTL') ? (int) EDGEKEEP_TTL : 3600;
    foreach (headers_list() as $line) {
        // What says so itself knows better.
        if (preg_match('/^(cdn-)?cache-control:.*(private|no-store|no-cache)/i', $line)) {
            return $fields;
        }
    }
    if ($ttl > 0) {
        $fields['CDN-Cache-Control'] = "max-age=$ttl";
    }
    return $fields;
}

function write_fields(bool $complete): void
{
    if (State::$written || headers_sent()) {
        return;
    }
    State::$written = true;
    foreach (fields($complete, (int) http_response_code()) as $name => $value) {
        header("$name: $value");
    }
}

add_action('template_redirect', function () {
    // WordPress ends an answer to HEAD before it is made: what it would show is not known.
    if (($_SERVER['REQUEST_METHOD'] ?? '') !== 'GET') {
        return;
    }
    // A page's tags are known when it is made, and fields go before it.
    ob_start(function (string $text, int $phase): string {
        write_fields((bool) ($phase & PHP_OUTPUT_HANDLER_FINAL));
        return $text;
    });
}, -1000);
add_filter('wp_redirect', function ($location) {
    if (($_SERVER['REQUEST_METHOD'] ?? '') === 'GET' && did_action('template_redirect')) {
        show(MISSING);
        write_fields(true);
    }
    return $location;
}, PHP_INT_MAX);
add_filter('rest_post_dispatch', function ($response, $server, $request) {
    if ($response instanceof \WP_REST_Response && $request->get_method() === 'GET' && !$response->is_error()) {
        show('posts-any', 'terms', 'authors', 'comments');
        foreach (fields(true, $response->get_status()) as $name => $value) {
            $response->header($name, $value);
        }
    }
    return $response;
}, 10, 3);

// What changes

/** Purges what shows a post: its page, lists of its type, and menus. `place`: it comes, goes or moves. */
function post_changed(\WP_Post $post, bool $place): void
{
    if (in_array($post->post_type, QUIET_TYPES, true)) {
        return;
    }
    $type = get_post_type_object($post->post_type);
    if ($post->post_type !== 'attachment' && (!$type || !is_post_type_viewable($type))) {
        // Menus, templates, styles, reusable blocks.
        purge(SITE);
        return;
    }
    purge("post-$post->ID", "posts-$post->post_type", 'posts-any');
    if ($post->post_parent) {
        purge("post-$post->post_parent");
    }
    if ($place) {
        purge(ADJACENT, MISSING, 'terms', 'authors');
    }
    if (function_exists('wp_get_associated_nav_menu_items') && wp_get_associated_nav_menu_items($post->ID)) {
        purge(SITE);
    }
}

/** Whether readers see a post of this status. */
function is_shown(string $status): bool
{
    $object = get_post_status_object($status);
    return $status === 'inherit' || ($object && $object->public);
}

add_action('transition_post_status', function ($new, $old, $post) {
    if (is_shown($new) || is_shown($old)) {
        post_changed($post, is_shown($new) !== is_shown($old) || $new === 'inherit');
    }
}, 10, 3);
add_action('post_updated', function ($id, $after, $before) {
    if (!is_shown($after->post_status) && !is_shown($before->post_status)) {
        return;
    }
    $place = ['post_name', 'post_parent', 'post_date', 'post_type', 'post_password', 'menu_order', 'post_author'];
    foreach ($place as $field) {
        if ($after->$field !== $before->$field) {
            post_changed($before, true);
            post_changed($after, true);
            purge("author-$before->post_author", "author-$after->post_author");
            if (is_post_type_hierarchical($after->post_type)) {
                // The addresses of all below it change.
                purge(SITE);
            }
            return;
        }
    }
    post_changed($after, false);
}, 10, 3);
add_action('before_delete_post', function ($id) {
    $post = get_post($id);
    if ($post && is_shown($post->post_status)) {
        post_changed($post, true);
    }
});
foreach (['add_attachment', 'edit_attachment', 'delete_attachment'] as $event) {
    add_action($event, function ($id) {
        if ($post = get_post($id)) {
            post_changed($post, true);
        }
    });
}
foreach (['added_post_meta', 'updated_post_meta', 'deleted_post_meta'] as $event) {
    add_action($event, function ($meta, $id, $key) {
        $post = in_array($key, QUIET_META, true) ? null : get_post($id);
        if ($post && is_shown($post->post_status)) {
            post_changed($post, false);
        }
    }, 10, 3);
}
add_action('set_object_terms', function ($id, $terms, $ids, $taxonomy, $append, $before) {
    $post = get_post($id);
    if ($post && is_shown($post->post_status) && array_map('intval', $ids) != array_map('intval', $before)) {
        post_changed($post, true);
    }
}, 10, 6);

foreach (['created_term', 'edited_term', 'delete_term'] as $event) {
    add_action($event, function ($term) {
        purge("term-$term", 'terms', 'posts-any', MISSING);
    });
}
add_action('edited_term_taxonomy', function () {
    purge('terms');
});
foreach (['profile_update', 'deleted_user', 'user_register'] as $event) {
    add_action($event, function ($user) {
        purge("author-$user", 'authors');
    });
}

function comment_changed($comment): void
{
    if ($comment = get_comment($comment)) {
        purge("post-$comment->comment_post_ID", 'comments');
    }
}

add_action('comment_post', function ($id, $approved) {
    if ($approved === 1) {
        comment_changed($id);
    }
}, 10, 2);
add_action('edit_comment', __NAMESPACE__ . '\comment_changed');
add_action('delete_comment', __NAMESPACE__ . '\comment_changed');
add_action('transition_comment_status', function ($new, $old, $comment) {
    if ($new === 'approved' || $old === 'approved') {
        comment_changed($comment);
    }
}, 10, 3);
add_action('wp_update_comment_count', function ($id, $new, $old) {
    $post = (int) $new === (int) $old ? null : get_post($id);
    if ($post) {
        // Lists tell how many there are.
        post_changed($post, false);
    }
}, 10, 3);

foreach (['switch_theme', 'customize_save_after', 'wp_update_nav_menu', 'wp_delete_nav_menu', 'activated_plugin', 'deactivated_plugin',
    'upgrader_process_complete', 'permalink_structure_changed'] as $event) {
    add_action($event, function () {
        purge(SITE);
    });
}
foreach (['added_option', 'updated_option', 'deleted_option'] as $event) {
    add_action($event, function ($option) {
        foreach (OPTIONS as $name) {
            $start = rtrim($name, '*');
            if ($option === $name || ($start !== $name && strpos($option, $start) === 0)) {
                purge(SITE);
            }
        }
    });
}

// Orders

/** One order of at most ORDER_TAGS_MAX tags for each list. Whatever is purged, what could not be tagged goes too. */
function orders(): array
{
    if (isset(State::$purged[SITE])) {
        return [[SITE]];
    }
    return array_chunk(array_merge(array_map('strval', array_keys(State::$purged)), [ANY]), ORDER_TAGS_MAX);
}

/** Sends an order `['id' => …, 'body' => …]`; true if the edge has it, or will never take it. */
function send(array $order): bool
{
    $site = untrailingslashit(defined('EDGEKEEP_URL') ? EDGEKEEP_URL : home_url());
    $now = (string) time();
    $key = base64_decode(substr(EDGEKEEP_SECRET, strlen('whsec_')));
    $signature = base64_encode(hash_hmac('sha256', "{$order['id']}.$now.{$order['body']}", $key, true));
    $answer = wp_remote_post("$site/.edgekeep/purge", [
        'body' => $order['body'],
        'headers' => [
            'content-type' => 'application/json',
            'webhook-id' => $order['id'],
            'webhook-timestamp' => $now,
            'webhook-signature' => "v1,$signature",
        ],
        'timeout' => TIMEOUT_SECONDS,
        'redirection' => 0,
    ]);
    $status = (int) wp_remote_retrieve_response_code($answer);
    if ($status === 200) {
        do_action('edgekeep_purged', json_decode(wp_remote_retrieve_body($answer), true));
        return true;
    }
    $why = is_wp_error($answer) ? $answer->get_error_message() : wp_remote_retrieve_body($answer);
    error_log("edgekeep: the purge {$order['id']} was not taken: $status $why");
    // Too much, not understood, not allowed: the same again would be refused again. A wrong secret or clock can be mended.
    return in_array($status, [400, 403, 409, 413, 422], true);
}

/** Keeps orders for later. The same id is purged once, however often it is sent. */
function keep(array $orders): void
{
    if (count($orders) > QUEUE_MAX) {
        $orders = [new_order([SITE])];
    }
    update_option(QUEUE, $orders, false);
    if ($orders && !wp_next_scheduled(RETRY)) {
        wp_schedule_single_event(time() + RETRY_SECONDS, RETRY);
    }
}

function new_order(array $names): array
{
    $tags = array_map(__NAMESPACE__ . '\tag', $names);
    return ['id' => 'msg_' . bin2hex(random_bytes(16)), 'body' => json_encode(['tags' => $tags], JSON_UNESCAPED_SLASHES)];
}

/** Sends these, and what waits. */
function deliver(array $orders): void
{
    $waiting = get_option(QUEUE, []);
    $waiting = is_array($waiting) ? $waiting : [];
    $left = [];
    foreach (array_merge($waiting, $orders) as $order) {
        // After a failure the others would wait for their time-outs, too.
        if ($left || !send($order)) {
            $left[] = $order;
        }
    }
    if ($left || $waiting) {
        keep($left);
    }
}

add_action(RETRY, function () {
    if (defined('EDGEKEEP_SECRET')) {
        deliver([]);
    }
});
add_action('shutdown', function () {
    if (!State::$purged || !defined('EDGEKEEP_SECRET')) {
        return;
    }
    $orders = array_map(__NAMESPACE__ . '\new_order', orders());
    State::$purged = [];
    // The reader need not wait.
    if (function_exists('fastcgi_finish_request')) {
        fastcgi_finish_request();
    } elseif (function_exists('litespeed_finish_request')) {
        litespeed_finish_request();
    }
    deliver($orders);
}, PHP_INT_MAX);
