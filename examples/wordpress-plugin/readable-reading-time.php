<?php
/**
 * Plugin Name:       Readable Reading Time
 * Description:       Says above each post how long it takes to read.
 * Version:           0.2.0
 * Requires at least: 6.5
 * Requires PHP:      7.4
 * Author:            Regreen examples
 * License:           Apache-2.0
 * License URI:       https://www.apache.org/licenses/LICENSE-2.0
 * Text Domain:       readable-reading-time
 */

defined( 'ABSPATH' ) || exit;

define( 'READABLE_READING_TIME_VERSION', '0.2.0' );

const READABLE_READING_TIME_OPTION  = 'readable_reading_time_words';
const READABLE_READING_TIME_DEFAULT = 200;

/**
 * Words a minute that the site's people chose.
 */
function readable_reading_time_pace(): int {
	$words = (int) get_option( READABLE_READING_TIME_OPTION, READABLE_READING_TIME_DEFAULT );
	return $words > 0 ? $words : READABLE_READING_TIME_DEFAULT;
}

/**
 * Minutes for a text, at least one; admin/minutes.js counts in the same way.
 */
function readable_reading_time_minutes( string $html, int $pace ): int {
	$words = preg_split( '/\s+/u', trim( wp_strip_all_tags( $html ) ), -1, PREG_SPLIT_NO_EMPTY );
	return max( 1, (int) ceil( count( $words ? $words : array() ) / $pace ) );
}

add_filter(
	'the_content',
	function ( string $content ): string {
		if ( ! is_singular( 'post' ) || ! in_the_loop() ) {
			return $content;
		}
		$minutes = readable_reading_time_minutes( $content, readable_reading_time_pace() );
		$text    = sprintf(
			/* translators: %d: number of minutes */
			_n( '%d minute to read', '%d minutes to read', $minutes, 'readable-reading-time' ),
			$minutes
		);
		return '<p class="readable-reading-time">' . esc_html( $text ) . '</p>' . $content;
	}
);

add_action(
	'admin_init',
	function (): void {
		register_setting(
			'reading',
			READABLE_READING_TIME_OPTION,
			array(
				'type'              => 'integer',
				'default'           => READABLE_READING_TIME_DEFAULT,
				'sanitize_callback' => 'absint',
			)
		);
		add_settings_field(
			READABLE_READING_TIME_OPTION,
			__( 'Words a minute', 'readable-reading-time' ),
			'readable_reading_time_field',
			'reading'
		);
	}
);

/**
 * The field on Settings > Reading; its example is kept up to date by admin/settings.js.
 */
function readable_reading_time_field(): void {
	printf(
		'<input type="number" min="1" id="%1$s" name="%1$s" value="%2$d"> <span id="%1$s_example"></span>',
		esc_attr( READABLE_READING_TIME_OPTION ),
		(int) readable_reading_time_pace()
	);
}

add_action(
	'admin_enqueue_scripts',
	function ( string $screen ): void {
		if ( 'options-reading.php' === $screen ) {
			wp_enqueue_script_module(
				'readable-reading-time',
				plugins_url( 'admin/settings.js', __FILE__ ),
				array(),
				READABLE_READING_TIME_VERSION
			);
		}
	}
);
