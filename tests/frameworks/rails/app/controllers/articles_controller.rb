class ArticlesController < ApplicationController
  before_action :signed_in, only: %i[edit update create destroy]

  def index
    public_page 'articles'
    @articles = Article.order(:id)
  end

  # Without Cache-Control of the site, as by Rails' defaults.
  def news
    @articles = Article.order(:id)
    render :index
  end

  def show
    @article = Article.find(params[:id])
    public_page "article-#{@article.id}"
    respond_to do |format|
      format.html
      format.json { render json: @article.as_json(only: %i[id title text]) }
    end
  end

  def edit
    @article = Article.find(params[:id])
  end

  def update
    article = Article.find(params[:id])
    article.update!(fields)
    redirect_to article, notice: 'Saved.'
  end

  def create
    redirect_to Article.create!(fields), notice: 'Created.'
  end

  def destroy
    Article.find(params[:id]).destroy!
    redirect_to root_path, notice: 'Deleted.'
  end

  private

  def fields
    params.require(:article).permit(:title, :text)
  end
end
