// Types that most scripts of the page name.
type State = import("./state/state.js").State;
type GalleryItem = import("./state/state.js").GalleryItem;
type Canvas = import("./canvas/canvas_model.js").Canvas;
type CanvasImage = import("./canvas/canvas_model.js").CanvasImage;
type PaintingTrace = import("./canvas/painting_trace.js").PaintingTrace;
type Commands = import("./state/commands.js").Commands;
type Levels = import("./transport/encoded_arrays.js").Levels;
type PixelInfo = import("./panels/pixel_info.js").PixelInfo;
type OfflineModel = import("./offline/model.js").OfflineModel;
