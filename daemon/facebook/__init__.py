"""Facebook's Graph API as its documentation and its clients describe it: tokens, Reels, videos. Knows no job."""
