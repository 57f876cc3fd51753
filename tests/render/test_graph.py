"""Argument lists as values: what FFmpeg is told for a Timeline. Nothing runs here."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from render.encoder import audio_args, video_args
from render.graph import Lowered, Sprite, film_args, join_args, slice_args, sound_args
from render.ground import needs_blend
from render.slices import Slice, slices
from render.timeline import Box, Grade, Layer, Media, Picture, Sound, Timeline

GUARDS = [
    *("-protocol_whitelist", "file", "-format_whitelist"),
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,mp3,wav,flac,ogg,aac,aiff,png_pipe,jpeg_pipe,webp_pipe",
    *("-max_pixels", "36000000"),
]
BT709 = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
OUT = Path("/films/f.mp4.part")


def media(**more: Any) -> Media:
    """A portrait clip at 60 fps that needs neither crop nor scaling, at half speed."""
    ready = Media(
        path=Path("/clips/it's, [a] clip;.mp4"),
        start_s=Fraction(3, 2),
        speed=Fraction(1, 2),
        rate=Fraction(60),
        width=1080,
        height=1920,
        crop=Box(0, 0, 1080, 1920),
    )
    return replace(ready, **more)


def film(*layers: Layer, frames: int = 300, **more: Any) -> Timeline:
    return Timeline(1080, 1920, Fraction(30), frames, layers, **more)


def one_clip(**more: Any) -> Timeline:
    return film(Layer(media(), 0, 300), **more)


def after(args: list[str], option: str) -> str:
    """The value of an option that stands once."""
    assert args.count(option) == 1
    return args[args.index(option) + 1]


def chains(args: list[str]) -> list[str]:
    return after(args, "-filter_complex").split(";")


def picture_chain(timeline: Timeline) -> str:
    [part] = slices(timeline)
    return chains(slice_args(Lowered(timeline), part, 1, OUT))[0]


def test_a_film_of_one_clip_word_by_word() -> None:
    timeline = one_clip()
    assert film_args(Lowered(timeline), slices(timeline)[0], 2, OUT) == [
        *GUARDS,
        *("-threads", "2", "-an", "-sn", "-dn", "-ss", "1.500000", "-t", "5.066667"),
        *("-i", "file:/clips/it's, [a] clip;.mp4"),
        *("-f", "lavfi", "-i", "anullsrc=channel_layout=stereo:sample_rate=48000"),
        *("-filter_complex_threads", "1", "-filter_complex"),
        f"[0:V:0]setpts=(PTS-STARTPTS)*2/1,fps=30/1:start_time=0,format=yuv420p,{BT709},setsar=1,"
        "tpad=stop=3:stop_mode=clone,trim=end_frame=300,settb=1/30,setpts=N+0[ground];"
        f"[ground]setpts=PTS-0,format=yuv420p,{BT709}[picture];"
        "[1:a]atrim=end_sample=480000[sound]",
        *("-map", "[picture]", "-map", "[sound]"),
        *("-frames:v", "300", "-r", "30/1", *video_args("social", 60, 2)),
        *("-ar", "48000", *audio_args("social")),
        *("-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", "/films/f.mp4.part"),
    ]


def test_no_users_word_reaches_the_graph() -> None:
    sound = Sound(Path("/audio/a'b;[c],d.mp3"), 0, 300)
    layer = Layer(Picture(Path("/logos/it's.png")), 0, 300)
    lowered = Lowered(one_clip(sounds=(sound,)), (Sprite(layer, Box(0, 0, 20, 20), 4, 6),), Path("/w/atlas.png"))
    graph = after(film_args(lowered, slices(lowered.timeline)[0], 1, OUT), "-filter_complex")
    assert not [word for word in ("clips", "audio", "logos", "work", "films", "it's") if word in graph]


@pytest.mark.parametrize(
    ("quality", "preset", "crf", "kbps"),
    [
        ("draft", "ultrafast", "24", "96k"),
        ("social", "superfast", "21.9", "128k"),
        ("high", "superfast", "20.5", "192k"),
    ],
)
def test_what_platforms_need_holds_for_every_quality(quality: str, preset: str, crf: str, kbps: str) -> None:
    timeline = one_clip(quality=quality)
    args = film_args(Lowered(timeline), slices(timeline)[0], 3, OUT)
    assert (after(args, "-preset"), after(args, "-crf"), after(args, "-b:a")) == (preset, crf, kbps)
    expected = {"-c:v": "libx264", "-profile:v": "high", "-pix_fmt": "yuv420p", "-g": "60", "-keyint_min": "60"}
    expected |= {"-color_range": "tv", "-colorspace": "bt709", "-color_primaries": "bt709", "-color_trc": "bt709"}
    expected |= {"-c:a": "aac", "-ac": "2", "-ar": "48000", "-movflags": "+faststart", "-threads:v": "3"}
    assert {name: after(args, name) for name in expected} == expected
    assert "open-gop=0" in after(args, "-x264-params")
    assert "scenecut=0" in after(args, "-x264-params")


def test_a_group_of_pictures_lasts_two_seconds_at_any_rate() -> None:
    for rate, group in ((Fraction(25), "50"), (Fraction(30000, 1001), "60"), (Fraction(60), "120")):
        timeline = replace(one_clip(), rate=rate)
        args = slice_args(Lowered(timeline), slices(timeline)[0], 1, OUT)
        assert (after(args, "-g"), after(args, "-r")) == (group, f"{rate.numerator}/{rate.denominator}")


def test_slices_cover_the_film_where_the_ground_changes() -> None:
    first, second = Layer(media(), 30, 60), Layer(media(), 120, 400)
    words = Layer(Picture(Path("/l.png")), 10, 200)
    assert slices(film(second, words, first)) == [
        Slice(0, 30, None),
        Slice(30, 90, first),
        Slice(90, 120, None),
        Slice(120, 300, second),
    ]
    assert slices(film()) == [Slice(0, 300, None)]
    overlapping = Layer(media(), 60, 60)
    assert slices(film(first, overlapping, frames=120))[1:] == [Slice(30, 90, first), Slice(90, 120, overlapping)]


def test_a_slice_begins_in_the_middle_of_its_clip_where_another_hid_it() -> None:
    below = Layer(media(start_s=Fraction(1)), 60, 60)
    timeline = film(Layer(media(), 0, 90), below, frames=120)
    part = slices(timeline)[1]
    args = slice_args(Lowered(timeline), part, 1, OUT)
    assert after(args, "-ss") == "1.500000", "1 s, and half of the second that was hidden"
    assert after(args, "-frames:v") == "30"
    assert "trim=end_frame=30,settb=1/30,setpts=N+90[ground]" in chains(args)[0]
    assert chains(args)[-1].startswith("[ground]setpts=PTS-90,")
    assert "[sound]" not in args


def test_a_slice_without_a_clip_is_black() -> None:
    timeline = film(frames=60)
    args = slice_args(Lowered(timeline), slices(timeline)[0], 1, OUT)
    assert args[:4] == ["-f", "lavfi", "-i", "color=c=black:s=1080x1920:r=30,format=yuv420p"]
    assert chains(args)[0] == "[0:v]trim=end_frame=60,settb=1/30,setpts=N+0[ground]"


def test_joining_copies_the_picture_and_adds_the_sound() -> None:
    args = join_args(one_clip(), Path("/w/list.txt"), OUT)
    assert args[:7] == ["-protocol_whitelist", "file", "-f", "concat", "-safe", "0", "-i"]
    assert args[7] == "file:/w/list.txt"
    assert after(args, "-c:v") == "copy"
    assert chains(args) == ["[1:a]atrim=end_sample=480000[sound]"]
    assert args[-2:] == ["mp4", str(OUT)]


@pytest.mark.parametrize(
    ("source_fps", "speed", "blend"),
    [
        *[(60, "1/2", False), (60, "1", False), (120, "1/4", False), (120, "1/2", False), (30, "1", False)],
        *[(Fraction(60000, 1001), "1/2", False), (Fraction(2997, 50), "1/2", False), (90, "1", False)],
        *[(30, "1/2", True), (25, "1", True), (50, "1/2", True), (24, "1/2", True), (Fraction(24000, 1001), "1", True)],
        *[(60, "1/4", True), (60, "3/4", True), (10, "1/10", True), (120, "1/3", True), (100, "1/2", True)],
        *[(100, "1", False), (120, "4", False), (1000, "1/2", False)],
    ],
)
def test_a_rate_that_would_stutter_is_blended(source_fps: Fraction | int, speed: str, blend: bool) -> None:
    ratio = Fraction(source_fps) * Fraction(speed) / 30
    assert needs_blend(ratio) is blend
    chain = picture_chain(film(Layer(media(rate=Fraction(source_fps), speed=Fraction(speed)), 0, 300)))
    assert ("framerate=fps=30/1:interp_start=0:interp_end=255:scene=100,fps=30/1:start_time=0" in chain) is blend
    assert chain.count("fps=30/1:start_time=0") == 1


def test_frames_are_dropped_before_and_blended_after_they_are_made_small() -> None:
    big = {"width": 2160, "height": 3840, "crop": Box(0, 0, 2160, 3840)}
    dropped = picture_chain(film(Layer(media(rate=Fraction(120), **big), 0, 300)))
    blended = picture_chain(film(Layer(media(rate=Fraction(30), **big), 0, 300)))
    assert dropped.index("fps=30/1:start_time=0") < dropped.index("zscale") < dropped.index("tpad")
    assert blended.index("zscale") < blended.index("framerate") < blended.index("tpad")


def test_landscape_is_cropped_then_scaled() -> None:
    chain = picture_chain(film(Layer(media(width=3840, height=2160, crop=Box(1200, 0, 1215, 2160)), 0, 300)))
    scale = "zscale=w=1080:h=1920:filter=bicubic:min=709:rin=limited:m=709:r=limited"
    assert f"crop=1215:2160:1200:0,{scale},format=yuv420p," in chain


def test_other_colour_is_converted_even_where_the_size_fits() -> None:
    chain = picture_chain(film(Layer(media(matrix="smpte170m", full_range=True), 0, 300)))
    assert "zscale=w=1080:h=1920:filter=bicubic:min=170m:rin=full:m=709:r=limited" in chain
    for hdr, transfer in (("hlg", "arib-std-b67"), ("pq", "smpte2084")):
        chain = picture_chain(film(Layer(media(matrix="bt2020nc", hdr=hdr), 0, 300)))
        assert f"min=2020_ncl:rin=limited:tin={transfer}:pin=2020:t=linear:npl=203,format=gbrpf32le" in chain
        assert "tonemap=tonemap=mobius:param=0.5:desat=0" in chain


def test_a_grade_is_one_table_and_none_where_it_changes_nothing() -> None:
    assert "lutyuv" not in picture_chain(one_clip())
    chain = picture_chain(film(Layer(media(grade=Grade(brightness=1.1, saturation=1.2)), 0, 300)))
    colour = "clip((val-128)*1.320000+128.5\\,16\\,240)"
    assert f"lutyuv=y='clip((val-16)*1.100000+16.000000+0.5\\,16\\,235)':u='{colour}':v='{colour}'" in chain
    chain = picture_chain(film(Layer(media(grade=Grade(contrast=0.5)), 0, 300)))
    assert "y='clip((val-16)*0.500000+70.750000+0.5" in chain
    grey = picture_chain(film(Layer(media(grade=Grade(saturation=0)), 0, 300)))
    assert "u='clip((val-128)*0.000000+128.5" in grey


def test_a_wide_blur_is_made_small() -> None:
    assert "gblur=sigma=3.000:steps=3" in picture_chain(film(Layer(media(grade=Grade(blur_px=3)), 0, 300)))
    wide = picture_chain(film(Layer(media(grade=Grade(blur_px=20)), 0, 300)))
    assert "scale=270:480:flags=area,gblur=sigma=5.000:steps=3,scale=1080:1920:flags=bicubic" in wide


def closing(timeline: Timeline) -> list[str]:
    """The last chain of each slice."""
    return [chains(slice_args(Lowered(timeline), part, 1, OUT))[-1] for part in slices(timeline)]


def test_fades_of_the_film_stand_in_the_slices_that_they_touch() -> None:
    layers = [Layer(media(), start, 100) for start in (0, 100, 200)]
    fading = film(*layers, fade_in=30, fade_out=60)
    rise, fall = "fade=t=in:st=0:d=1.000000", "fade=t=out:st=7.966667:d=2.000000"
    assert [rise in chain for chain in closing(fading)] == [True, False, False]
    assert [fall in chain for chain in closing(fading)] == [False, False, True]
    long = film(*layers, fade_in=150, fade_out=150)
    assert ["t=in" in chain for chain in closing(long)] == [True, True, False]
    assert ["t=out" in chain for chain in closing(long)] == [False, True, True]
    assert "fade" not in "".join(closing(film(*layers)))
    assert "st=0.000000:d=10.000000" in closing(one_clip(fade_out=300))[0]


def sprite(start: int, frames: int, **more: Any) -> Sprite:
    return Sprite(Layer(Picture(Path("/l.png")), start, frames, **more), Box(8, 20, 64, 40), 100, -6)


def overlaid(*sprites: Sprite, layers: tuple[Layer, ...] = (Layer(media(), 0, 300),)) -> list[list[str]]:
    lowered = Lowered(film(*layers), sprites, Path("/w/atlas.png"))
    return [slice_args(lowered, part, 1, OUT) for part in slices(lowered.timeline)]


def test_an_overlay_is_cut_from_the_atlas_and_shown_for_its_frames() -> None:
    [args] = overlaid(sprite(15, 30))
    assert args.count("-i") == 2
    assert "file:/w/atlas.png" in args
    _, atlas, cell, over, last = chains(args)
    assert atlas.startswith("[1:v:0]scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp:out_color_matrix=bt709:")
    assert atlas.endswith("[cell0]")
    assert "split" not in atlas
    assert cell == "[cell0]crop=64:40:8:20[sprite0]"
    assert over == (
        "[ground][sprite0]overlay=x=100:y=-6:format=yuv420:eof_action=repeat:"
        "enable='between(t\\,0.483333\\,1.483333)'[over0]"
    )
    assert last.startswith("[over0]setpts=PTS-0,")


def test_overlays_are_painted_in_order_from_one_decoded_atlas() -> None:
    [args] = overlaid(sprite(0, 300), sprite(10, 20), sprite(0, 300))
    assert args.count("-i") == 2
    graph = chains(args)
    assert "split=3[cell0][cell1][cell2]" in graph[1]
    assert [chain.split("overlay")[0] for chain in graph if "overlay=" in chain] == [
        "[ground][sprite0]",
        "[over0][sprite1]",
        "[over1][sprite2]",
    ]


def test_a_slice_opens_the_atlas_only_for_what_it_shows() -> None:
    layers = tuple(Layer(media(), start, 100) for start in (0, 100, 200))
    first, second, third = overlaid(sprite(100, 100), sprite(150, 100), layers=layers)
    assert [args.count("-i") for args in (first, second, third)] == [1, 2, 2]
    assert ["split=2" in ";".join(chains(args)) for args in (second, third)] == [True, False]
    assert "'between(t\\,4.983333\\,8.316667)'" in ";".join(chains(third)), "the film's time, not the slice's"


def test_a_fade_of_an_overlay_makes_frames_only_while_it_lasts() -> None:
    [args] = overlaid(sprite(30, 90, fade_in=15, fade_out=30))
    cell = next(chain for chain in chains(args) if chain.startswith("[cell0]crop"))
    assert cell == (
        "[cell0]crop=64:40:8:20,loop=loop=45:size=1:start=0,settb=1/30,setpts=N,fade=t=in:s=0:n=15:alpha=1,"
        "fade=t=out:s=15:n=30:alpha=1,setpts='if(lte(N\\,15)\\,N+30\\,N+74)'[sprite0]"
    )
    [args] = overlaid(sprite(30, 90, fade_out=30))
    assert "fade=t=in" not in ";".join(chains(args))


def sounds(*found: Sound) -> list[str]:
    return chains(join_args(one_clip(sounds=found), Path("/l.txt"), OUT))


def test_silence_lasts_as_long_as_the_film() -> None:
    timeline = replace(one_clip(), rate=Fraction(30000, 1001))
    assert chains(join_args(timeline, Path("/l"), OUT)) == ["[1:a]atrim=end_sample=480480[sound]"]


STEREO = "aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo,asetpts=N/SR/TB"
# Where nobody asked for a fade the end is cut off softly, or it would click.
SOFT_END = "afade=t=out:st=9.990000:d=0.010000:curve=hsin"


def test_music_is_cut_to_the_sample_and_fades() -> None:
    music = Sound(Path("/m.mp3"), 0, 300, volume=0.5, fade_in=60, fade_out=60, mono=True)
    args = join_args(one_clip(sounds=(music,)), Path("/l.txt"), OUT)
    at = args.index("file:/m.mp3")
    assert args[at - 4 - len(GUARDS) : at] == [*GUARDS, "-vn", "-sn", "-dn", "-i"]
    assert chains(args) == [
        "[1:a:0]aresample=48000,pan=stereo|c0=c0|c1=c0,aformat=sample_fmts=fltp:channel_layouts=stereo,asetpts=N/SR/TB,"
        "atrim=end_sample=480000,volume=0.500000,afade=t=in:st=0:d=2.000000:curve=hsin,"
        "afade=t=out:st=8.000000:d=2.000000:curve=hsin[sound0]",
        "[sound0]apad=whole_len=480000,atrim=end_sample=480000[sound]",
    ]


def test_plain_music_passes_untouched_but_for_its_end() -> None:
    [heard, _] = sounds(Sound(Path("/m.mp3"), 0, 300, true_peak=0.7))
    assert heard == f"[1:a:0]{STEREO},atrim=end_sample=480000,{SOFT_END}[sound0]"


def test_a_stretch_of_a_track_is_found_by_decoding() -> None:
    [heard, _] = sounds(Sound(Path("/m.mp3"), 0, 300, source_start_s=Fraction(1, 4), source_end_s=Fraction(60)))
    assert heard.startswith(f"[1:a:0]{STEREO},atrim=start_sample=12000:end_sample=2880000,asetpts=N/SR/TB,atrim=end_")


def test_a_track_that_joins_itself_is_repeated_as_it_is() -> None:
    [heard, _] = sounds(Sound(Path("/m.mp3"), 0, 300, source_end_s=Fraction(3), loop=True))
    assert heard == (
        f"[1:a:0]{STEREO},atrim=start_sample=0:end_sample=144000,asetpts=N/SR/TB,volume=0.5,aformat=sample_fmts=s16,"
        "aloop=loop=-1:size=2147483647,aformat=sample_fmts=fltp,volume=2,atrim=end_sample=480000,"
        f"{SOFT_END}[sound0]"
    )


def test_another_passes_from_its_end_into_its_beginning() -> None:
    music = Sound(Path("/m.mp3"), 0, 300, source_end_s=Fraction(3), loop=True, seam_s=Fraction(1, 100))
    source, first, rest, again, body, looped, heard, _ = sounds(music)
    assert source.endswith(
        "atrim=start_sample=0:end_sample=144000,asetpts=N/SR/TB,volume=0.5,aformat=sample_fmts=s16,"
        "asplit=3[sound0a][sound0b][sound0c]"
    )
    assert first == "[sound0a]atrim=end_sample=480[sound0first]"
    assert rest == "[sound0b]atrim=start_sample=480,asetpts=N/SR/TB[sound0rest]"
    assert again == "[sound0c]atrim=end_sample=480[sound0again]"
    assert body == (
        "[sound0rest][sound0again]acrossfade=ns=480:c1=qsin:c2=qsin,aloop=loop=-1:size=2147483647[sound0body]"
    )
    assert looped == "[sound0first][sound0body]concat=n=2:v=0:a=1[sound0looped]"
    assert heard.startswith("[sound0looped]aformat=sample_fmts=fltp,volume=2,atrim=end_sample=480000,")


def test_only_what_may_be_too_loud_is_limited() -> None:
    assert "alimiter" not in sounds(Sound(Path("/m.mp3"), 0, 300, volume=0.5))[-1]
    assert "alimiter" not in sounds(Sound(Path("/m.mp3"), 0, 300, volume=2, true_peak=0.39))[-1]
    assert "alimiter=limit=0.7943:" in sounds(Sound(Path("/m.mp3"), 0, 300, volume=2, true_peak=0.4))[-1]
    assert "alimiter" in sounds(*[Sound(Path("/m.mp3"), 0, 300, true_peak=0.4)] * 2)[-1], "both may peak at once"


def test_several_sounds_add_up_each_from_its_place() -> None:
    late = Sound(Path("/b.wav"), 45, 60, true_peak=0.1)
    first, second, mix = sounds(Sound(Path("/a.wav"), 0, 300, true_peak=0.1), late)
    assert (first[:8], second[:8]) == ("[1:a:0]a", "[2:a:0]a")
    assert second.endswith(
        "atrim=end_sample=96000,afade=t=out:st=1.990000:d=0.010000:curve=hsin,adelay=delays=1500:all=1[sound1]"
    )
    assert mix == (
        "[sound0][sound1]amix=inputs=2:normalize=0:duration=longest,apad=whole_len=480000,atrim=end_sample=480000[sound]"
    )


def test_a_film_gets_another_sound_by_copying_its_picture() -> None:
    timeline = one_clip(sounds=(Sound(Path("/m.mp3"), 0, 300),))
    args = sound_args(timeline, 0.5, Path("/w/film.part"), OUT)
    assert [arg for arg in args if arg.startswith("file:")] == ["file:/w/film.part", "file:/m.mp3"]
    assert (after(args, "-c:v"), args[args.index("-map") + 1]) == ("copy", "0:v:0")
    assert "alimiter=limit=0.5000:" in chains(args)[-1]


def test_a_film_with_overlays_numbers_its_sound_after_the_atlas() -> None:
    timeline = one_clip(sounds=(Sound(Path("/m.mp3"), 0, 300),))
    args = film_args(Lowered(timeline, (sprite(0, 300),), Path("/w/atlas.png")), slices(timeline)[0], 1, OUT)
    assert [arg for arg in args if arg.startswith("file:")][1:] == ["file:/w/atlas.png", "file:/m.mp3"]
    assert "[2:a:0]aresample" in after(args, "-filter_complex")
