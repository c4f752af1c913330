"""Rendered faces: pixels by hand, two rasterisers that agree, light, eyes, windows, persons."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.datasets import FakeClip, write_dataset
from tests.runs import run_ttk
from tests.surfaces import BFM_VERTICES, FRONT, make_ball, make_large_model, make_surface
from toolkit.dataset.manifest import read_table
from toolkit.errors import ShardError, ToolkitError
from toolkit.facemodel.camera import project, project_camera, rotation_from_euler, transform
from toolkit.facemodel.model import load_default
from zoo.data import Holdout
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import load_render_clips
from zoo.graphics import eyes, kernels, raster, shading
from zoo.graphics.render import FaceRenderer
from zoo.graphics.surface import Surface
from zoo.models.renderer.person import Person, fit_person
from zoo.models.renderer.presets import PRESETS
from zoo.models.renderer.windows import RenderedWindows, paint_frames, place_window
from zoo.motion.pose_map import PoseMap, smooth_motion

CAMERA = CropCamera(intrinsics=(200.0, 200.0, 32.0, 32.0), size=64)
FLAGS = ("--min-frames", "27", "--shard-minutes", "0.01", "--deepspeech", "none")


def draw(corners, z, triangles, values=None, size=4):
    """Triangle (size, size) of each pixel and its values, by both rasterisers, which must agree."""
    screen = np.rint(np.asarray(corners, np.float64) * 256).astype(np.int64)
    depth = 1 / np.broadcast_to(np.asarray(z, np.float64), len(screen)).copy()
    triangles = np.asarray(triangles, np.int64)
    values = np.asarray(np.eye(len(screen)) if values is None else values, np.float64)
    nearest, seen = np.empty((size, size)), np.empty((size, size), np.int32)
    out = np.empty((size, size, values.shape[1]))
    kernels.find_triangles(screen, depth, triangles, nearest, seen)
    kernels.interpolate(screen, depth, triangles, values, nearest, seen, out)
    s, d, t, v = (torch.from_numpy(array) for array in (screen, depth, triangles, values))
    found = raster.find_triangles(s[None], d[None], t, size)
    np.testing.assert_array_equal(found.seen[0].numpy(), seen)
    np.testing.assert_array_equal(found.nearest[0].numpy(), nearest)
    same = raster.interpolate(found, s[None], d[None], t, v[None])
    np.testing.assert_array_equal(same[0].numpy(), out)
    return seen, out


# --- triangles by hand --------------------------------------------------------------------------

SQUARE = [(0, 0), (0, 4), (4, 0), (4, 4)]
"""Corners of a picture of four pixels a side; its diagonal runs through four centres."""


def test_a_triangle_covers_the_centres_inside_it():
    """Right angle at the origin: centres with x + y < 4; those on the long edge are not its own."""
    seen, _ = draw(SQUARE, 100, [(0, 1, 2)])
    expected = [[0, 0, 0, -1], [0, 0, -1, -1], [0, -1, -1, -1], [-1, -1, -1, -1]]
    assert seen.tolist() == expected


def test_of_two_triangles_one_has_a_centre_on_their_common_edge():
    """The lower right one, whose left edge it is; together they fill the square once."""
    seen, _ = draw(SQUARE, 100, [(0, 1, 2), (2, 1, 3)])
    assert seen.tolist() == [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]


def test_top_edges_belong_to_a_triangle_and_bottom_edges_do_not():
    """A square from 0.5 to 2.5 px has centres on all edges: those at 0.5 are in, at 2.5 out."""
    corners = [(0.5, 0.5), (0.5, 2.5), (2.5, 0.5), (2.5, 2.5)]
    seen, _ = draw(corners, 100, [(0, 1, 2), (2, 1, 3)])
    assert (seen >= 0).tolist() == [[True, True, False, False]] * 2 + [[False] * 4] * 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_triangle_is_seen_whatever_its_number(order):
    """One half of the square at 100 mm over the whole of it at 200 mm."""
    corners = [*SQUARE, (0, 0), (0, 8), (8, 0)]
    z = [100.0] * 4 + [200.0] * 3
    triangles = [(0, 1, 2), (4, 5, 6)]
    seen, _ = draw(corners, z, [triangles[k] for k in order])
    near, far = order.index(0), order.index(1)
    assert seen.tolist() == [
        [near, near, near, far], [near, near, far, far], [near, far, far, far], [far] * 4,
    ]  # fmt: skip


def test_of_equally_near_triangles_the_lower_number_is_seen():
    """The same triangle twice."""
    seen, _ = draw(SQUARE, 100, [(0, 1, 2), (0, 1, 2)])
    assert set(seen.ravel().tolist()) == {0, -1}


def test_values_are_weighted_by_area_and_by_nearness():
    """At (0.5, 0.5) of a triangle of legs 8: 14/16, 1/16, 1/16; over depths 100, 200, 400 mm."""
    corners = [(0, 0), (0, 8), (8, 0)]
    _, flat = draw(corners, 100, [(0, 1, 2)])
    np.testing.assert_allclose(flat[0, 0], [14 / 16, 1 / 16, 1 / 16], rtol=1e-12)
    _, deep = draw(corners, [100, 200, 400], [(0, 1, 2)])
    total = 14 / 100 + 1 / 200 + 1 / 400
    np.testing.assert_allclose(deep[0, 0] * total, [14 / 100, 1 / 200, 1 / 400], rtol=1e-12)


@pytest.mark.parametrize("triangle", [(0, 2, 1), (0, 0, 1), (0, 1, 1)])
def test_backs_and_lines_are_not_drawn(triangle):
    """The other way round, or without area."""
    seen, _ = draw(SQUARE, 100, [triangle])
    assert (seen == -1).all()


def test_what_lies_beyond_the_picture_does_no_harm():
    """A triangle that reaches far out fills the picture; one outside leaves it empty."""
    seen, _ = draw([(-900, -900), (-900, 9000), (9000, -900)], 100, [(0, 1, 2)])
    assert (seen == 0).all()
    seen, _ = draw([(10, 10), (10, 20), (20, 10)], 100, [(0, 1, 2)])
    assert (seen == -1).all()


def test_nothing_behind_the_camera_is_drawn():
    """A ball 600 mm behind, and before, the camera."""
    ball = FaceRenderer(make_ball(), CAMERA)
    behind = np.array([[0, 0, 0, 0, 0, -600.0]])
    assert not ball.render(np.zeros((1, 64)), behind).any()
    assert ball.render(np.zeros((1, 64)), np.array([FRONT])).any()


# --- two rasterisers, one picture ---------------------------------------------------------------


def draw_motion(rng, n, spread=0.5):
    """Expression (n, 64) and pose (n, 6) of a head 600 mm away that turns a lot."""
    pose = rng.normal(0, 1, (n, 6)) * [0.3, spread, 0.3, 40, 30, 60] + FRONT
    return rng.normal(0, 1, (n, 64)), pose


def make_face(rng, model=None, threshold=None) -> Surface:
    """A drawn person under a drawn light."""
    return Surface.of_model(
        load_default() if model is None else model,
        identity=rng.normal(0, 1, 80),
        texture=rng.normal(0, 1, 80),
        illumination=rng.normal(0, 0.2, 27),
        threshold=threshold,
    )


@pytest.mark.parametrize("antialias", [1, 2])
def test_numba_and_torch_draw_the_same_picture(antialias):
    """To the last bit, near the picture's border and far turned, at several samples a pixel."""
    rng = np.random.default_rng(1)
    camera = CropCamera(intrinsics=(450.0, 440.0, 60.0, 66.0), size=128)
    expression, pose = draw_motion(rng, 12)
    renderer = FaceRenderer(make_face(rng), camera, antialias=antialias)
    ours = renderer.render(expression, pose)
    rigid = np.concatenate([rotation_from_euler(pose[:, :3]), pose[:, 3:, None]], axis=2)
    theirs = renderer._average(renderer.draw_with_torch(expression, rigid))
    assert ours.shape == (12, 128, 128, 4)
    assert ours[..., 3].any()
    assert torch.equal(ours, theirs)


def test_a_model_of_bfms_size_is_drawn_alike_by_both():
    """35,709 vertices; the mask fills what its outline says."""
    rng = np.random.default_rng(2)
    camera = CropCamera(intrinsics=(400.0, 400.0, 64.0, 64.0), size=128)
    expression, pose = draw_motion(rng, 2, spread=0.2)
    renderer = FaceRenderer(make_face(rng, make_large_model()), camera)
    ours = renderer.render(expression, pose)
    rigid = np.concatenate([rotation_from_euler(pose[:, :3]), pose[:, 3:, None]], axis=2)
    assert torch.equal(ours, renderer.draw_with_torch(expression, rigid))
    flat = FaceRenderer(make_face(rng, make_large_model()), camera)
    seen = (flat.render(np.zeros((1, 64)), np.array([FRONT]))[..., :3].sum(-1) > 0).sum()
    # 150 × 200 mm at 600 to 700 mm and 400 px: between (400/700)² and (400/600)² px a mm²
    assert 150 * 200 * (400 / 700) ** 2 < seen < 150 * 200 * (400 / 600) ** 2


def test_threads_change_nothing(monkeypatch):
    """Three frames by one thread, and by two."""
    rng = np.random.default_rng(3)
    renderer = FaceRenderer(make_face(rng), CAMERA)
    expression, pose = draw_motion(rng, 3)
    drawn = []
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        drawn.append(renderer.render(expression, pose))
    assert torch.equal(*drawn)


def test_no_frames_give_no_pictures_and_odd_sizes_are_refused():
    """An empty motion is no error; one frame more of pose than of expression is."""
    renderer = FaceRenderer(make_ball(), CAMERA)
    assert renderer.render(np.zeros((0, 64)), np.zeros((0, 6))).shape == (0, 64, 64, 4)
    with pytest.raises(ValueError, match="want"):
        renderer.render(np.zeros((1, 64)), np.zeros((2, 6)))
    with pytest.raises(ValueError, match="samples"):
        FaceRenderer(make_ball(), CAMERA, antialias=0)


def test_antialiasing_is_the_mean_of_the_samples():
    """Four samples a pixel, rounded half up, of the picture of twice the size."""
    pose = np.array([FRONT])
    fine = FaceRenderer(make_ball(), CAMERA.magnify(2)).render(np.zeros((1, 64)), pose)
    mean = fine.double().reshape(1, 64, 2, 64, 2, 4).mean(dim=(2, 4))
    drawn = FaceRenderer(make_ball(), CAMERA, antialias=2).render(np.zeros((1, 64)), pose)
    np.testing.assert_array_equal(drawn.numpy(), np.floor(mean.numpy() + 0.5))


# --- light --------------------------------------------------------------------------------------


def test_a_plane_that_faces_the_viewer_has_the_hand_computed_colour():
    """Its normal is (0, 0, 1) in Deng's axes: bands 0, 2 and 6 are √π/2, √π and 1.40125."""
    light = np.zeros((9, 3))
    light[0] = 0.8
    light[0, 0], light[2, 1], light[6, 2] = 0.9, 0.2, 0.1
    plane = make_surface(
        [(-90, -90, 0), (-90, 90, 0), (90, -90, 0), (90, 90, 0)], [(0, 1, 2), (2, 1, 3)], light
    )
    drawn = FaceRenderer(plane, CAMERA).render(np.zeros((1, 64)), np.array([FRONT]))
    half = np.sqrt(np.pi) / 2
    expected = [90 * half, 80 * half + 40 * half, 80 * half + 10 * 1.40125]
    assert drawn[0, 32, 32, :3].tolist() == [round(value) for value in expected] == [80, 106, 85]


def light_from_the_left():
    """White light whose third band is brighter where x is negative: −a1·c1·x."""
    light = np.zeros((9, 3))
    light[0], light[3] = 0.8, 0.3
    return light


@pytest.mark.parametrize("turn", [(0, 0.7, 0), (0.6, 0, 0), (0, 0, 1.0), (0.4, -0.5, 0.3)])
def test_a_turned_head_lit_from_the_left_stays_lit_from_the_left(turn):
    """A ball looks the same however it is turned, since the light stays with the camera."""
    ball = FaceRenderer(make_ball(light_from_the_left()), CAMERA)
    poses = np.array([FRONT, (*turn, 0, 0, 600)])
    straight, turned = ball.render(np.zeros((2, 64)), poses)[..., 0].numpy().astype(float)
    assert straight[32, 14] > straight[32, 50] + 40
    both = (straight > 0) & (turned > 0)
    assert both.sum() > 0.98 * (straight > 0).sum()
    assert np.abs(straight - turned)[both].max() <= 3


def test_light_is_that_of_the_face_model():
    """The factors are those of Deng et al.: a0·c0, a1·c1, a2·c2, and their parts."""
    a = np.array([np.pi, 2 * np.pi / np.sqrt(3), 2 * np.pi / np.sqrt(8)])
    c = np.array([1, np.sqrt(3), 3 * np.sqrt(5) / np.sqrt(3)]) / np.sqrt(4 * np.pi)
    p = a * c
    expected = [p[0], p[1], p[2], p[2] / (2 * np.sqrt(3)), p[2] / 2]
    np.testing.assert_allclose(shading.list_factors(), expected, rtol=1e-12)


# --- camera -------------------------------------------------------------------------------------


def test_a_crops_camera_is_moved_and_scaled_with_it():
    """A crop of 200 px from (40, 60), shown at 100 px: half of everything."""
    camera = CropCamera.of_crop((500, 510, 320, 240), (40, 60, 240, 260), 100)
    assert camera.intrinsics == (250, 255, 140, 90)
    with pytest.raises(ValueError, match="crop"):
        CropCamera.of_crop((500, 510, 320, 240), (40, 60, 40, 260), 100)


def test_every_pixel_shows_the_point_that_projects_to_its_centre():
    """Camera-frame points interpolated over the picture, projected: within a 1/256 px step."""
    model, pose = load_default(), np.array([0.2, -0.4, 0.1, 20, -10, 550])
    K = np.array([300.0, 310.0, 60.0, 70.0])
    points = torch.from_numpy(model.mean_shape.astype(np.float64))[None]
    rigid = np.concatenate([rotation_from_euler(pose[:3]), pose[3:, None]], axis=1)[None]
    screen, depth = shading.project_vertices(points, torch.from_numpy(rigid), torch.from_numpy(K))
    triangles = torch.tensor(model.triangles)
    found = raster.find_triangles(screen, depth, triangles, 128)
    at = torch.from_numpy(transform(points[0].numpy(), pose))[None]
    shown = raster.interpolate(found, screen, depth, triangles, at)[0].numpy()
    rows, columns = np.nonzero(shown[..., 2])
    seen = project_camera(shown[rows, columns][None], K)[0]
    assert len(seen) > 3000
    np.testing.assert_allclose(seen, np.stack([columns, rows], 1) + 0.5, atol=0.02)


def test_a_rendered_face_lies_on_the_stored_frames(media, videos):
    """An ingested sample at 256 px: the mesh is drawn within 1 px of the stored landmarks."""
    out = media / "with-coefficients"
    result = run_ttk("ingest", videos / "person00", "--out", out, *FLAGS)
    assert result.returncode == 0, result.stderr
    clips = load_render_clips(out, identity=str(read_table(out, "clips")["identity"].iloc[0]))
    person, model = fit_person(clips), load_default()
    for clip in clips:
        assert clip.camera.size == 256
        assert clip.read_frame(0).shape == (256, 256, 3)
        shape = model.shape(person.identity_coefficients, smooth_motion(clip.expression))
        pose = smooth_motion(clip.model_pose)
        drawn = project(shape, pose, clip.camera.intrinsics)
        stored = clip.reader.read("face/landmarks", clip.index)[:, :468, :2]
        assert np.linalg.norm(drawn - stored, axis=-1).mean() < 1
        assert np.abs((drawn - stored).mean(axis=(0, 1))).max() < 0.5


# --- eyes ---------------------------------------------------------------------------------------


def test_the_embedded_models_eyes_have_the_written_number_of_vertices():
    """52, as many on either side: lids and corners, no brow (70, 105) and no cheek (230)."""
    marked = eyes.mark_eyes(load_default())
    assert marked.sum() == eyes.EMBEDDED_COUNT == 52
    assert (load_default().mean_shape[marked, 0] < 0).sum() == 26
    assert marked[[33, 133, 159, 145, 263, 362, 386, 374]].all()
    assert not marked[[70, 105, 230, 1, 4]].any()


def test_the_eye_region_is_equation_nine():
    """(vx − cx)²/4 + (vy − cy)² < th of either eye's centre, in mm."""
    model = load_default()
    shape, found = model.mean_shape, []
    for x, y, _ in shape:
        centres = [shape[model.keypoints[a:b]].mean(axis=0) for a, b in ((36, 42), (42, 48))]
        found.append(any((x - c[0]) ** 2 / 4 + (y - c[1]) ** 2 < 30 for c in centres))
    assert eyes.mark_eyes(model, 30.0).tolist() == found


def test_an_eye_is_painted_as_an_ellipse_whatever_the_mesh():
    """Within two triangles without a corner in it: half axes of 20 and 10 px, area 200·π px."""
    corners = [(x, y, 0.0) for x in (-100.0, 100.0) for y in (-100.0, 100.0)]
    surface = make_surface(corners, [(0, 1, 2), (2, 1, 3)])
    places = np.array([(x / 20, y / 10, 9, 9) for x, y, _ in corners])  # the other eye is away
    surface = dataclasses.replace(surface, eyes=eyes.EyeRegions(np.ones(2, bool), places))
    renderer = FaceRenderer(surface, CropCamera(intrinsics=(600.0, 600.0, 32.0, 32.0), size=64))
    picture = renderer.render(np.zeros((1, 64)), [FRONT])[0, ..., 3].numpy()
    y, x = np.mgrid[:64, :64] + 0.5 - 32
    assert np.unique(picture).tolist() == [0, 255]
    np.testing.assert_array_equal(picture > 0, (x / 20) ** 2 + (y / 10) ** 2 < 1)
    assert (picture > 0).sum() == pytest.approx(200 * np.pi, rel=0.02)


def test_painted_eyes_of_the_embedded_model_are_the_ellipses_of_their_threshold():
    """67 mm²: 32.7 × 16.4 mm; whole triangles, as renderers of before have them, are smaller."""
    model = load_default()
    sizes = {}
    for whole in (False, True):
        found = eyes.find_regions(model, whole_triangles=whole)
        surface = make_surface(model.mean_shape, model.triangles)
        surface = dataclasses.replace(surface, eyes=found)
        camera = CropCamera(intrinsics=(3000.0, 3000.0, 512.0, 512.0), size=1024)
        far = [(0.0, 0.0, 0.0, 0.0, 0.0, 3000.0)]  # 1 px is about 1 mm, so far that depth is none
        picture = FaceRenderer(surface, camera, antialias=4).render(np.zeros((1, 64)), far)
        painted = picture[0, :, :512, 3].numpy() > 127
        sizes[whole] = [int(painted.any(axis=a).sum()) for a in (0, 1)]
        if not whole:
            assert painted.sum() == pytest.approx(np.pi * 2 * 67, rel=0.05)
    assert sizes[False] == pytest.approx([4 * 67**0.5, 2 * 67**0.5], abs=1.5)
    assert sizes[True] == pytest.approx([30, 11], abs=1.5)


def test_a_model_of_bfms_size_has_the_authors_number_of_eye_vertices():
    """2,439, as in the mask that they released."""
    assert eyes.mark_eyes(make_large_model(BFM_VERTICES)).sum() == 2439


def test_the_blink_is_painted_into_the_eyes_alone():
    """AU45 over 5, clipped to 0 to 1, in the fourth channel; colours from −1 to 1 are left."""
    pictures = torch.zeros(3, 2, 2, 4, dtype=torch.uint8)
    pictures[:, 0, 0] = torch.tensor([255, 51, 0, 255], dtype=torch.uint8)
    frames = paint_frames(pictures, [2.5, 7.0, -1.0])
    assert frames.shape == (3, 4, 2, 2)
    assert frames[:, 3, 0, 0].tolist() == [0.5, 1.0, 0.0]
    assert frames[:, 3].sum() == 1.5
    np.testing.assert_allclose(frames[0, :3, 0, 0], [1, 51 / 127.5 - 1, -1], rtol=1e-6)


def test_a_blink_covers_both_ellipses_alike_and_rises_with_au45():
    """The mean face from in front; of 5, and of more, every pixel of both ellipses is whole."""
    model, size = load_default(), 256
    surface = make_surface(model.mean_shape, model.triangles)
    surface = dataclasses.replace(surface, eyes=eyes.find_regions(model))
    camera = CropCamera(intrinsics=(600.0, 600.0, 128.0, 128.0), size=size)
    ahead = [(0.0, 0.0, 0.0, 0.0, 0.0, 600.0)]
    picture = FaceRenderer(surface, camera).render(np.zeros((1, 64)), ahead)
    levels = np.arange(0, 5.5, 0.5)
    maps = paint_frames(picture.repeat(len(levels), 1, 1, 1), levels)[:, 3].numpy()
    ellipses = picture[0, ..., 3].numpy() == 255
    right, left = maps[..., : size // 2], maps[..., size // 2 :]
    assert ellipses[:, : size // 2].sum() > 400
    np.testing.assert_array_equal(right[..., ::-1], left)
    assert (np.diff(maps[:, ellipses], axis=0) > 0).all()
    assert (maps[0] == 0).all()
    assert (maps[-1, ellipses] == 1).all()
    assert not maps[:, ~ellipses].any()


def test_official_painting_overwrites_bright_pixels_with_raw_au45():
    """Eyes, and everything whose green exceeds 0.9; three channels, nothing scaled or clipped."""
    pictures = torch.zeros(1, 1, 3, 4, dtype=torch.uint8)
    pictures[0, 0, 0] = torch.tensor([9, 9, 9, 255], dtype=torch.uint8)
    pictures[0, 0, 1] = torch.tensor([9, 250, 9, 0], dtype=torch.uint8)
    frames = paint_frames(pictures, [7.5], 3)
    assert frames.shape == (1, 3, 1, 3)
    assert frames[0, :, 0].tolist() == [[7.5, 7.5, -1.0]] * 3


def test_the_blink_moves_no_vertex():
    """AU45 alone carries it: the basis moves no lid along its blink, and nothing adds the blink."""
    model = load_default()
    surface = make_face(np.random.default_rng(4))
    basis = surface.expression.reshape(64, 468, 3)
    assert np.abs((basis * model.blink).sum(axis=-1)).max() < 1e-5
    assert np.linalg.norm(model.blink, axis=1).max() > 5


# --- windows ------------------------------------------------------------------------------------


def test_a_window_has_t_at_index_five_and_repeats_edges():
    """Frames t − 5 … t + 4; index 6 in the released code."""
    assert place_window(7, 20).tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert place_window(0, 20).tolist() == [0, 0, 0, 0, 0, 0, 1, 2, 3, 4]
    assert place_window(19, 20).tolist() == [14, 15, 16, 17, 18, 19, 19, 19, 19, 19]
    assert place_window(0, 1).tolist() == [0] * 10
    assert place_window(7, 20, 6).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    with pytest.raises(ValueError, match="no frame 20"):
        place_window(20, 20)


@pytest.mark.parametrize("preset", ["paper", "official"])
@pytest.mark.parametrize("num_frames", [1, 3, 40])
def test_every_frame_has_a_window_and_order_does_not_matter(num_frames, preset):
    """One after the other or by itself, the window is the same; frame t stands at its index."""
    rng = np.random.default_rng(5)
    camera = CropCamera(intrinsics=(60.0, 60.0, 8.0, 8.0), size=16)
    expression, pose = draw_motion(rng, num_frames)
    au45 = rng.uniform(0, 5, num_frames)
    renderer = FaceRenderer(make_face(rng, threshold=200.0), camera)
    shape = PRESETS[preset].window
    windows = RenderedWindows(renderer, expression=expression, pose=pose, au45=au45, shape=shape)
    found = list(windows)
    assert len(found) == len(windows) == num_frames
    frames = paint_frames(renderer.render(expression, pose), au45, shape.channels)
    step, current = {"paper": (4, 5), "official": (3, 6)}[preset]
    for t, window in enumerate(found):
        assert window.shape == (10 * step, 16, 16)
        assert torch.equal(window, windows[t])
        assert torch.equal(window[current * step : (current + 1) * step], frames[t])


# --- motion and persons -------------------------------------------------------------------------


def test_smoothing_keeps_cubics_and_calms_noise():
    """Degree 3 over 7 frames: noise keeps a third of its variance (1/3, centre weight 7/21)."""
    t = np.arange(40.0)
    cubic = np.stack([t**3 / 1000 - t, 2 * t], axis=1)
    np.testing.assert_allclose(smooth_motion(cubic), cubic, atol=1e-9)
    noise = np.random.default_rng(6).normal(0, 1, (20000, 1))
    assert smooth_motion(noise)[10:-10].var() == pytest.approx(1 / 3, rel=0.05)


@pytest.mark.parametrize("num_frames", [1, 2, 4, 5, 6])
def test_short_clips_are_smoothed_as_far_as_they_reach(num_frames):
    """Below five frames not at all; never an error."""
    values = np.random.default_rng(7).normal(0, 1, (num_frames, 2))
    found = smooth_motion(values)
    assert found.shape == values.shape
    assert (found == values).all() == (num_frames < 5)


def test_a_pose_map_is_found_from_poses_of_one_head():
    """A turn, a shift and a scale that were put in come out, and poses with them."""
    rng = np.random.default_rng(8)
    truth = PoseMap(
        turn=rotation_from_euler((0.05, -0.1, 0.02)), shift=np.array([3.0, -8.0, 12.0]), scale=1.07
    )
    _, pose = draw_motion(rng, 50)
    found = PoseMap.fit(pose, truth.apply(pose))
    np.testing.assert_allclose(found.turn, truth.turn, atol=1e-9)
    np.testing.assert_allclose(found.shift, truth.shift, atol=1e-6)
    assert found.scale == pytest.approx(1.07)
    R = rotation_from_euler(pose[:, :3])
    expected = 1.07 * pose[:, 3:] + R @ truth.shift
    np.testing.assert_allclose(truth.apply(pose)[:, 3:], expected)
    back = rotation_from_euler(truth.apply(pose)[:, :3])
    np.testing.assert_allclose(back, R @ truth.turn, atol=1e-9)


@pytest.fixture
def people(tmp_path):
    """Two clips of ann, one of bob, with frames; every third frame of the first is not measured."""
    valid = np.arange(30) % 3 > 0
    clips = [
        FakeClip(source="videos/a.mp4", num_frames=30, arrays={"face/valid": valid}),
        FakeClip(source="videos/b.mp4", num_frames=10, arrays={"face/valid": np.ones(10, bool)}),
        FakeClip(identity="bob", source="videos/c.mp4"),
    ]
    return write_dataset(tmp_path / "data", {"a": clips}, frame_size=32)


def test_a_person_is_the_mean_of_the_training_part(people):
    """Shape and texture by the length of clips, light over measured frames; nothing of bob."""
    clips = load_render_clips(people, identity="ann")
    assert [clip.num_frames for clip in clips] == [30, 10]
    person = fit_person(clips)
    a, b = (clip.identity_coefficients.astype(float) for clip in clips)
    np.testing.assert_allclose(person.identity_coefficients, 0.75 * a + 0.25 * b)
    light = [*clips[0].illumination[np.arange(30) % 3 > 0], *clips[1].illumination]
    np.testing.assert_allclose(person.illumination, np.mean(light, axis=0), atol=1e-6)
    assert person.num_frames == len(light) == 30
    with pytest.raises(ValueError, match="one identity"):
        fit_person([*clips, *load_render_clips(people, identity="bob")])


def test_a_person_survives_a_checkpoint(people, tmp_path):
    """Plain tensors, text and numbers, read with nothing run."""
    person = fit_person(load_render_clips(people, identity="ann"))
    torch.save(person.to_state(), tmp_path / "p.pt")
    again = Person.from_state(torch.load(tmp_path / "p.pt", weights_only=True))
    assert (again.identity, again.backends, again.num_frames) == ("ann", person.backends, 30)
    np.testing.assert_array_equal(again.illumination, person.illumination)
    np.testing.assert_array_equal(again.pose_map.turn, person.pose_map.turn)


def test_training_and_held_out_frames_share_nothing(people):
    """A quarter of 40 frames is held out: the last ten, the whole second clip; frames agree."""
    holdout = Holdout(share=0.25, identity="ann", gap=0)
    trained = load_render_clips(people, identity="ann", holdout=holdout)
    held = load_render_clips(people, identity="ann", holdout=holdout, held=True)
    assert [(clip.source, clip.num_frames) for clip in trained] == [("videos/a.mp4", 30)]
    assert [(clip.source, clip.num_frames) for clip in held] == [("videos/b.mp4", 10)]
    half = Holdout(share=0.5, identity="ann", gap=0)
    first = load_render_clips(people, identity="ann", holdout=half, held=True)[0]
    assert (first.first, first.num_frames) == (20, 10)
    # frame t of a generated clip is grey of 10·t
    assert abs(int(first.read_frame(3)[0, 0, 0]) - 230) <= 2
    with pytest.raises(ValueError, match="no frame 10"):
        first.read_frame(10)


def test_who_is_not_there_and_clips_without_frames_are_named(people, tmp_path):
    """One clear error each."""
    with pytest.raises(ToolkitError, match="unknown identity 'eve': choose from ann, bob"):
        load_render_clips(people, identity="eve")
    bare = write_dataset(tmp_path / "bare", {"a": [FakeClip()]})
    with pytest.raises(ShardError, match="--frame-size"):
        load_render_clips(bare, identity="ann")
    with pytest.raises(ValueError, match="holdout"):
        load_render_clips(people, identity="ann", held=True)


def test_commands_start_without_numba():
    """`--help` must stay quick: the compiler is loaded when something is drawn."""
    code = "import sys, zoo.cli; assert not {'numba', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
